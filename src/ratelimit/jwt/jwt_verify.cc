// Tokens: header, signature, times.

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include <cstring>

#include "ratelimit/jwt/jwt.h"

namespace ratelimit {
namespace {

constexpr std::size_t kMaxNumberLen = 48;
// SEQUENCE of two INTEGERs, each with a zero byte before a high bit.
constexpr std::size_t kMaxDerLen = 3 + 2 * (2 + 1 + kMaxNumberLen);
static_assert(kMaxDerLen < 3 + 128, "one byte of length will do");

constexpr const char* kTriesPhrase =
    "must not make more than 4 keys of an algorithm that one token is tried "
    "with: give each a \"kid\" of its own, in a JWKS";
static_assert(RL_JWT_MAX_TRIES == 4, "as the phrase says");

struct Parts {
  rl_str_t header;
  rl_str_t payload;
  rl_str_t signature;
  rl_str_t signed_text;  // header, dot, payload
};

struct Header {
  const Algorithm* algorithm;
  const json_t* kid;  // nullptr: none
};

bool split(rl_str_t token, Parts* parts) {
  const Byte* const end = token.data + token.len;
  const Byte* dots[2] = {};
  std::size_t n = 0;
  for (const Byte* c = token.data; c != end; c++) {
    if (*c != '.') continue;
    if (n == 2) return false;
    dots[n++] = c;
  }
  if (n != 2) return false;
  parts->header = slice(token.data, dots[0]);
  parts->payload = slice(dots[0] + 1, dots[1]);
  parts->signed_text = slice(token.data, dots[1]);
  parts->signature = slice(dots[1] + 1, end);
  return true;
}

const char* read_header(const json_t* json, Header* header) {
  const json_t* const alg = json_object_get(json, "alg");
  if (!json_is_string(alg)) return "names no algorithm";
  header->algorithm = find_algorithm(to_view(to_str(alg)));
  if (header->algorithm == nullptr) return "names an unknown algorithm";
  // RFC 7515: what is critical and not understood invalidates the token;
  // nothing is understood here.
  if (json_object_get(json, "crit") != nullptr) return "has \"crit\"";
  header->kid = json_object_get(json, "kid");
  return header->kid == nullptr || json_is_string(header->kid)
             ? nullptr
             : "has an invalid \"kid\"";
}

rl_str_t kid_of(const JwtKey& key) {
  return {key.kid_len, key.kid};
}

std::size_t count_keys(const rl_jwt_set_t& set, const Algorithm* algorithm) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < set.nlines; i++) {
    const rl_jwt_keys_t& keys = *set.lines[i].keys;
    if (keys.algorithm == algorithm) n += keys.n;
  }
  return n;
}

// Which keys a token is tried with: those without a "kid", those of its own,
// and, if it names none, all where they are few.
struct Candidates {
  const json_t* kid;  // nullptr: none
  bool few;

  bool has(const JwtKey& key) const {
    if (key.kid == nullptr) return true;
    if (kid == nullptr) return few;
    return equals(kid_of(key), to_view(to_str(kid)));
  }
};

// Which key verified is no secret: the first one ends it.
bool verifies(const rl_jwt_keys_t& keys, const Candidates& candidates,
              const Parts& parts, rl_str_t signature, bool* tried) {
  for (std::size_t i = 0; i < keys.n; i++) {
    if (!candidates.has(keys.keys[i])) continue;
    *tried = true;
    if (verify_signature(*keys.algorithm, keys.keys[i], parts.signed_text,
                         signature)) {
      return true;
    }
  }
  return false;
}

// Calls `visit` with each key for the algorithm.
template <typename Visit>
void for_each_key(const rl_jwt_set_t& set, const Algorithm* algorithm,
                  Visit visit) {
  for (std::size_t i = 0; i < set.nlines; i++) {
    const rl_jwt_keys_t& keys = *set.lines[i].keys;
    for (std::size_t j = 0; keys.algorithm == algorithm && j < keys.n; j++) {
      visit(keys.keys[j]);
    }
  }
}

// The most keys that one token is tried with.
std::size_t most_tries(const rl_jwt_set_t& set, const Algorithm* algorithm) {
  std::size_t most = 0;
  for_each_key(set, algorithm, [&](const JwtKey& named) {
    std::size_t n = 0;
    for_each_key(set, algorithm, [&](const JwtKey& key) {
      const bool same = named.kid != nullptr && key.kid != nullptr &&
                        equals(kid_of(key), to_view(kid_of(named)));
      if (key.kid == nullptr || same) n++;
    });
    if (n > most) most = n;
  });
  return most;
}

// Of the lines by which the token verifies, the one with the widest leeway.
const char* find_line(const rl_jwt_set_t& set, const Header& header,
                      const Parts& parts, rl_str_t signature,
                      const rl_jwt_line_t** found) {
  const char* error = "has another algorithm than is configured";
  bool tried = false;
  const Candidates candidates = {
      header.kid, count_keys(set, header.algorithm) <= RL_JWT_MAX_TRIES};
  for (std::size_t i = 0; i < set.nlines; i++) {
    const rl_jwt_line_t* const line = &set.lines[i];
    if (line->keys->algorithm != header.algorithm) continue;
    if (*found != nullptr && line->leeway_ms <= (*found)->leeway_ms) continue;
    if (verifies(*line->keys, candidates, parts, signature, &tried)) {
      *found = line;
    }
    error = tried                   ? "has a wrong signature"
            : header.kid == nullptr ? "has no \"kid\""
                                    : "has an unknown \"kid\"";
  }
  return *found != nullptr ? nullptr : error;
}

// How far a leeway may go: beyond, sums would overflow.
constexpr std::int64_t kMaxLeewayMs = std::int64_t{1} << 61;

const char* read_times(const json_t* payload, std::uint64_t leeway_ms,
                       Verified* out) {
  const std::int64_t leeway = leeway_ms < std::uint64_t{kMaxLeewayMs}
                                  ? static_cast<std::int64_t>(leeway_ms)
                                  : kMaxLeewayMs;
  const json_t* const exp = json_object_get(payload, "exp");
  const json_t* const nbf = json_object_get(payload, "nbf");
  out->from_ms = INT64_MIN;
  out->until_ms = INT64_MAX;
  if (exp != nullptr) {
    if (!date_ms(exp, &out->until_ms)) return "has an invalid \"exp\"";
    out->until_ms += leeway;
  }
  if (nbf != nullptr) {
    if (!date_ms(nbf, &out->from_ms)) return "has an invalid \"nbf\"";
    out->from_ms -= leeway;
  }
  return nullptr;
}

// An unsigned big-endian number as a DER INTEGER; nullptr if it is zero.
Byte* put_integer(Byte* to, const Byte* number, std::size_t len) {
  while (len != 0 && *number == 0) {
    number++;
    len--;
  }
  if (len == 0) return nullptr;
  const bool high = (*number & 0x80) != 0;
  *to++ = 0x02;
  *to++ = static_cast<Byte>(len + high);
  if (high) *to++ = 0;
  std::memcpy(to, number, len);
  return to + len;
}

// RFC 7518 has r and s of fixed length, OpenSSL a DER sequence of them.
std::size_t to_der(rl_str_t signature, std::size_t number_len,
                   Byte der[kMaxDerLen]) {
  if (signature.len != 2 * number_len) return 0;
  Byte numbers[kMaxDerLen];
  Byte* at = put_integer(numbers, signature.data, number_len);
  if (at == nullptr) return 0;
  at = put_integer(at, signature.data + number_len, number_len);
  if (at == nullptr) return 0;
  const std::size_t len = static_cast<std::size_t>(at - numbers);
  Writer out{der};
  out.put('\x30');
  *out.at++ = static_cast<Byte>(len);
  out.put(numbers, len);
  return 2 + len;
}

bool verify_hmac(const Algorithm& algorithm, const JwtKey& key, rl_str_t input,
                 rl_str_t signature) {
  Byte mac[EVP_MAX_MD_SIZE];
  unsigned len = 0;
  return HMAC(algorithm.digest(), key.secret, static_cast<int>(key.secret_len),
              input.data, input.len, mac, &len) != nullptr &&
         signature.len == len && CRYPTO_memcmp(mac, signature.data, len) == 0;
}

}  // namespace

EVP_MD_CTX* start_verifying(const Algorithm& algorithm, EVP_PKEY* pkey) {
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  EVP_PKEY_CTX* options = nullptr;  // the context's
  const EVP_MD* const digest =
      algorithm.digest == nullptr ? nullptr : algorithm.digest();
  bool ready =
      context != nullptr &&
      EVP_DigestVerifyInit(context, &options, digest, nullptr, pkey) == 1;
  if (ready && algorithm.family == Family::kRsaPss) {
    // RFC 7518: MGF1 by the same hash, and a salt as long as that.
    ready =
        EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
        EVP_PKEY_CTX_set_rsa_mgf1_md(options, digest) == 1 &&
        EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1;
  }
  if (ready) return context;
  EVP_MD_CTX_free(context);
  return nullptr;
}

bool verify_signature(const Algorithm& algorithm, const JwtKey& key,
                      rl_str_t input, rl_str_t signature) {
  const ErrorMark mark;
  if (algorithm.family == Family::kHmac) {
    return verify_hmac(algorithm, key, input, signature);
  }
  Byte der[kMaxDerLen];
  if (algorithm.family == Family::kEcdsa) {
    signature = {to_der(signature, algorithm.number_len, der), der};
    if (signature.len == 0) return false;
  } else if (signature.len !=
             static_cast<std::size_t>(EVP_PKEY_get_size(key.pkey))) {
    return false;  // RFC 8017, 8.1.2: OpenSSL takes one without leading zeros
  }
  EVP_MD_CTX* const context = start_verifying(algorithm, key.pkey);
  const bool right = context != nullptr &&
                     EVP_DigestVerify(context, signature.data, signature.len,
                                      input.data, input.len) == 1;
  EVP_MD_CTX_free(context);
  return right;
}

const char* verify_token(const rl_jwt_set_t& set, rl_str_t token,
                         Verified* out) {
  Byte buf[kMaxDecodedLen];
  Parts parts;
  rl_str_t decoded;
  if (token.len > RL_JWT_MAX_TOKEN_LEN) return "is too long";
  if (!split(token, &parts)) return "is not of three parts";
  if (!base64url_decoded(parts.header, buf, &decoded)) {
    return "has a header that is not base64url";
  }
  const Json json(parse_part(decoded));
  if (json.get() == nullptr) return "has a header that is no JSON object";
  Header header;
  const char* error = read_header(json.get(), &header);
  if (error != nullptr) return error;

  if (!base64url_decoded(parts.signature, buf, &decoded)) {
    return "has a signature that is not base64url";
  }
  const rl_jwt_line_t* line = nullptr;
  error = find_line(set, header, parts, decoded, &line);
  if (error != nullptr) return error;

  if (!base64url_decoded(parts.payload, buf, &decoded)) {
    return "has a payload that is not base64url";
  }
  Json payload(parse_part(decoded));
  if (payload.get() == nullptr) return "has a payload that is no JSON object";
  error = read_times(payload.get(), line->leeway_ms, out);
  if (error == nullptr) out->payload = payload.release();
  return error;
}

}  // namespace ratelimit

const char* rl_jwt_check(const rl_jwt_set_t* set, int* kid_needed) noexcept {
  const ratelimit::Algorithm* const algorithm =
      set->lines[set->nlines - 1].keys->algorithm;
  *kid_needed = ratelimit::count_keys(*set, algorithm) > RL_JWT_MAX_TRIES;
  return ratelimit::most_tries(*set, algorithm) > RL_JWT_MAX_TRIES
             ? ratelimit::kTriesPhrase
             : nullptr;
}
