// Templates of fields, and which are rendered together: all of it at
// configuration.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ratelimit/base/text.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/response/time_text.h"

namespace ratelimit {
namespace {

// What a placeholder is, and so what it may be rendered as.
enum class Class : unsigned {
  kNumber = 1,
  kName = 2,
  kDuration = 4,
  kMoment = 8
};

struct PieceRow {
  rl_piece_e kind;
  std::string_view usage;
  Class is;
};

constexpr PieceRow kPieces[] = {
    {RL_PIECE_LIMIT, "limit", Class::kNumber},
    {RL_PIECE_REMAINING, "remaining", Class::kNumber},
    {RL_PIECE_USED, "used", Class::kNumber},
    {RL_PIECE_RESET, "reset", Class::kMoment},
    {RL_PIECE_RETRY_AFTER, "retry_after", Class::kMoment},
    {RL_PIECE_WINDOW, "window", Class::kDuration},
    {RL_PIECE_WAITED_MS, "waited_ms", Class::kNumber},
    {RL_PIECE_POLICY, "policy", Class::kName},
};

struct FormatRow {
  rl_format_e kind;
  std::string_view usage;
  unsigned of;
};

constexpr unsigned kMoments = static_cast<unsigned>(Class::kMoment);
constexpr unsigned kTimes = kMoments | static_cast<unsigned>(Class::kDuration);
constexpr unsigned kNames = static_cast<unsigned>(Class::kName);

constexpr FormatRow kFormats[] = {
    {RL_FORMAT_MS, "ms", kTimes},
    {RL_FORMAT_DECIMAL, "decimal", kTimes},
    {RL_FORMAT_GO, "go", kTimes},
    {RL_FORMAT_UNIX, "unix", kMoments},
    {RL_FORMAT_UNIX_MS, "unix_ms", kMoments},
    {RL_FORMAT_UNIX_DECIMAL, "unix_decimal", kMoments},
    {RL_FORMAT_RFC3339, "rfc3339", kMoments},
    {RL_FORMAT_HTTP, "http", kMoments},
    {RL_FORMAT_QUOTA, "quota", kNames},
    {RL_FORMAT_LIMIT, "limit", kNames},
};

// Fields that nginx makes itself, of which there would be two, or that say how
// the message is read.
constexpr std::string_view kReserved[] = {
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "keep-alive",
    "last-modified",
    "location",
    "retry-after",
    "retry-after-ms",
    "server",
    "set-cookie",
    "trailer",
    "transfer-encoding",
    "upgrade",
};

constexpr const char* kShapePhrase =
    "must be \"Name: template\", the name of letters, digits, {policy} and "
    "!#$%&'*+-.^_`|~";
constexpr const char* kReservedPhrase =
    "must not be a field that nginx sends itself";
constexpr const char* kPiecePhrase =
    "must have of {} only {limit}, {remaining}, {used}, {reset}, "
    "{retry_after}, {window}, {waited_ms} and {policy}";
constexpr const char* kFormatPhrase =
    "must have only the formats ms, decimal, go of {window}, {reset} and "
    "{retry_after}, and unix, unix_ms, unix_decimal, rfc3339, http of the "
    "latter two";
constexpr const char* kTextPhrase =
    "must be of ASCII and without \"$\" and controls: add_header takes "
    "variables";
constexpr const char* kLengthPhrase =
    "must have at most 12 texts and placeholders";
static_assert(RL_MAX_PIECES == 12, "as kLengthPhrase says");

constexpr std::string_view kPolicy = "{policy}";

// As substr, which would need the run-time library of C++ to throw.
std::string_view part(std::string_view text, std::size_t from,
                      std::size_t len = std::string_view::npos) {
  const std::size_t left = text.size() - from;
  return {text.data() + from, len < left ? len : left};
}

std::string_view view(rl_str_t text) {
  return {reinterpret_cast<const char*>(text.data), text.len};
}

rl_str_t unview(std::string_view text) {
  return literal(text);
}

bool is_reserved(std::string_view name) {
  for (const std::string_view reserved : kReserved) {
    if (name.size() != reserved.size()) continue;
    std::size_t same = 0;
    while (same < name.size() && to_lower(static_cast<Byte>(name[same])) ==
                                     static_cast<Byte>(reserved[same])) {
      same++;
    }
    if (same == name.size()) return true;
  }
  return false;
}

const char* parse_name(std::string_view name, rl_template_t* out) {
  const std::size_t at = name.find(kPolicy);
  out->scope = RL_REPORTED;
  out->before = unview(name);
  out->after = {0, nullptr};
  if (at == std::string_view::npos) {
    if (is_reserved(name)) return kReservedPhrase;
    return is_token(out->before) ? nullptr : kShapePhrase;
  }
  out->scope = RL_EACH;
  out->before = unview(part(name, 0, at));
  out->after = unview(part(name, at + kPolicy.size()));
  return (out->before.len == 0 || is_token(out->before)) &&
                 (out->after.len == 0 || is_token(out->after))
             ? nullptr
             : kShapePhrase;
}

// "reset:unix", what stands between braces.
const char* parse_placeholder(std::string_view text, rl_piece_t* out) {
  const std::size_t colon = text.find(':');
  const std::string_view name = part(text, 0, colon);
  for (const PieceRow& row : kPieces) {
    if (row.usage != name) continue;
    *out = {row.kind, RL_FORMAT_PLAIN, {0, nullptr}};
    if (colon == std::string_view::npos) return nullptr;
    for (const FormatRow& format : kFormats) {
      if (format.usage == part(text, colon + 1) &&
          (format.of & static_cast<unsigned>(row.is)) != 0) {
        out->format = format.kind;
        return nullptr;
      }
    }
    return kFormatPhrase;
  }
  return kPiecePhrase;
}

bool is_plain_text(std::string_view text) {
  for (const char c : text) {
    if (c < ' ' || c > '~' || c == '$') return false;
  }
  return true;
}

const char* parse_value(std::string_view value, rl_template_t* out) {
  out->pieces = 0;
  while (!value.empty()) {
    if (out->pieces == RL_MAX_PIECES) return kLengthPhrase;
    rl_piece_t* const piece = &out->value[out->pieces++];
    if (value[0] != '{') {
      const std::string_view text = part(value, 0, value.find('{'));
      if (!is_plain_text(text)) return kTextPhrase;
      if (text.find('}') != std::string_view::npos) return kPiecePhrase;
      *piece = {RL_PIECE_TEXT, RL_FORMAT_PLAIN, unview(text)};
      value.remove_prefix(text.size());
      continue;
    }
    const std::size_t end = value.find('}');
    if (end == std::string_view::npos) return kPiecePhrase;
    const char* const allowed =
        parse_placeholder(part(value, 1, end - 1), piece);
    if (allowed != nullptr) return allowed;
    if (piece->what == RL_PIECE_POLICY && out->scope == RL_REPORTED) {
      out->scope = RL_LISTED;
    }
    value.remove_prefix(end + 1);
  }
  return nullptr;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ')
    text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ')
    text.remove_suffix(1);
  return text;
}

// ---- fields that are rendered together

// The longest that a placeholder becomes, but for a policy's name: its item in
// RateLimit-Policy, of a quota and a window of 20 digits each.
constexpr std::uint32_t kPlaceholderLen = 50;
static_assert(kTimeLen <= kPlaceholderLen, "times too");
constexpr std::uint32_t kSeparatorLen = 2;

bool is_single(const rl_template_t& field, rl_piece_e what,
               rl_format_e format) {
  return field.pieces == 1 && field.value[0].what == what &&
         field.value[0].format == format;
}

rl_shape_e shape_of(const rl_fields_t& fields) {
  const rl_template_t* const of = fields.templates;
  if (fields.n == 3 && fields.scope == RL_REPORTED &&
      is_single(of[0], RL_PIECE_LIMIT, RL_FORMAT_PLAIN) &&
      is_single(of[1], RL_PIECE_REMAINING, RL_FORMAT_PLAIN) &&
      is_single(of[2], RL_PIECE_RESET, RL_FORMAT_PLAIN)) {
    return RL_SHAPE_COMMON;
  }
  if (fields.n == 2 && fields.scope == RL_LISTED &&
      is_single(of[0], RL_PIECE_POLICY, RL_FORMAT_QUOTA) &&
      is_single(of[1], RL_PIECE_POLICY, RL_FORMAT_LIMIT)) {
    return RL_SHAPE_IETF;
  }
  return RL_SHAPE_ANY;
}

}  // namespace
}  // namespace ratelimit

using ratelimit::Writer;

const char* rl_parse_template(rl_str_t text, rl_template_t* out) noexcept {
  const std::string_view field = ratelimit::view(text);
  const std::size_t colon = field.find(':');
  if (colon == std::string_view::npos) return ratelimit::kShapePhrase;
  const std::string_view value =
      ratelimit::trim(ratelimit::part(field, colon + 1));
  if (value.empty()) return ratelimit::kShapePhrase;
  rl_template_t parsed{};
  const char* allowed =
      ratelimit::parse_name(ratelimit::part(field, 0, colon), &parsed);
  if (allowed == nullptr) allowed = ratelimit::parse_value(value, &parsed);
  if (allowed == nullptr) *out = parsed;
  return allowed;
}

void rl_field_name(const rl_template_t* field, rl_str_t policy_name,
                   unsigned char* buf, rl_str_t* name,
                   rl_str_t* lower) noexcept {
  Writer out{buf};
  out.put(field->before);
  if (field->scope == RL_EACH) {
    for (std::size_t i = 0; i < policy_name.len; i++) {
      const unsigned char c = policy_name.data[i];
      out.put(c == '_' ? '-' : static_cast<char>(c));
    }
  }
  out.put(field->after);
  *name = ratelimit::slice(buf, out.at);
  unsigned char* const start = out.at;
  for (std::size_t i = 0; i < name->len; i++) {
    *out.at++ = ratelimit::to_lower(buf[i]);
  }
  *lower = ratelimit::slice(start, out.at);
}

int rl_fields_add(rl_fields_t* fields, const rl_template_t* field) noexcept {
  if (fields->n == RL_MAX_FIELDS ||
      (fields->n != 0 && fields->scope != field->scope)) {
    return 0;
  }
  fields->scope = field->scope;
  fields->templates[fields->n++] = *field;
  fields->shape = ratelimit::shape_of(*fields);
  fields->text_len += ratelimit::kSeparatorLen;
  for (std::uint32_t i = 0; i < field->pieces; i++) {
    const rl_piece_t& piece = field->value[i];
    if (piece.what == RL_PIECE_TEXT) {
      fields->text_len += static_cast<std::uint32_t>(piece.text.len);
      continue;
    }
    fields->text_len += ratelimit::kPlaceholderLen;
    if (piece.what == RL_PIECE_WAITED_MS) fields->want_waited = 1;
    if (piece.what != RL_PIECE_POLICY) continue;
    fields->names++;
    if (piece.format == RL_FORMAT_LIMIT) fields->want_next = 1;
  }
  return 1;
}
