// The moment at which a request was logged.

#ifndef SUGGEST_LOG_TIME_H_
#define SUGGEST_LOG_TIME_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace suggest {

// Milliseconds since 1970 in UTC; false: the text is no such time.
// $time_local: "28/Nov/2026:21:08:42 +0900".
bool read_time_local(std::string_view text, std::int64_t* ms);
// $time_iso8601: "2026-11-28T21:08:42+09:00".
bool read_time_iso8601(std::string_view text, std::int64_t* ms);
// $msec: "1795868922.123".
bool read_msec(std::string_view text, std::int64_t* ms);

// "28 Nov 2026 12:08:42", in UTC.
std::string time_text(std::int64_t ms);

}  // namespace suggest

#endif  // SUGGEST_LOG_TIME_H_
