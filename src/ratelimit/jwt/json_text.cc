// What JSON texts are made of.

#include "ratelimit/jwt/json_text.h"

#include "ratelimit/base/text.h"

namespace ratelimit {
namespace {

bool take_digits(Reader* in) {
  const Byte* const start = in->at;
  while (!in->done() && is_digit(*in->at)) {
    in->at++;
  }
  return in->at != start;
}

}  // namespace

int code_unit(const Byte* at, const Byte* end) {
  if (end - at < kEscapeLen || at[0] != '\\' || at[1] != 'u') return -1;
  int unit = 0;
  for (int i = 2; i < kEscapeLen; i++) {
    const int digit = hex_value(at[i]);
    if (digit < 0) return -1;
    unit = unit << 4 | digit;
  }
  return unit;
}

Number number_of(rl_str_t text) {
  Reader in(text);
  in.take('-');
  if (!in.take('0') && !take_digits(&in)) return Number::kNone;
  if (in.done()) return Number::kInteger;
  if (in.take('.') && !take_digits(&in)) return Number::kNone;
  if (in.take('e') || in.take('E')) {
    if (!in.take('+')) in.take('-');
    if (!take_digits(&in)) return Number::kNone;
  }
  return in.done() ? Number::kReal : Number::kNone;
}

}  // namespace ratelimit
