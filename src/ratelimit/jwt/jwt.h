// JSON Web Tokens (RFC 7519) in the compact serialization of RFC 7515: key
// files, verification, claims.
//
// The algorithm comes from the configuration; a token merely may not name
// another one.  So "none" does not exist here, and a public key is never taken
// for a secret.  Cryptography is OpenSSL's, JSON jansson's.  Thread safety:
// keys are read-only once made.

#ifndef RATELIMIT_JWT_JWT_H_
#define RATELIMIT_JWT_JWT_H_

#include <jansson.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ratelimit/ratelimit.h"
#include "ratelimit/base/text.h"

namespace ratelimit {

// ------------------------------------------------------------- algorithms

enum class Family { kHmac, kRsa, kRsaPss, kEcdsa, kEdDsa };

struct Algorithm {
  rl_jwt_algorithm_e kind;
  Family family;
  std::string_view usage;     // its name
  const EVP_MD* (*digest)();  // nullptr: the algorithm's own
  std::string_view kty;       // of its keys in a JWKS
  std::string_view crv;
  const char* group;       // OpenSSL's name of crv
  std::size_t number_len;  // of r and of s, of x and of y
  const char* key_phrase;
};

const Algorithm& algorithm_of(rl_jwt_algorithm_e kind);
// nullptr: another name.
const Algorithm* find_algorithm(std::string_view name);

// ------------------------------------------------------------------- keys

// HMAC has the secret of some 128 bits that nobody guesses; RFC 7518 asks for
// as many bytes as the hash has, which many issuers' secrets lack.
constexpr std::size_t kMinSecretLen = 16;
constexpr int kMinRsaBits = 2048;
// The longest signature: beyond, one check costs milliseconds.
constexpr int kMaxRsaBits = 8192;

// One key.  kid nullptr: it has none and suits every token.
struct JwtKey {
  EVP_PKEY* pkey;
  Byte* secret;
  std::size_t secret_len;
  Byte* kid;
  std::size_t kid_len;
};

// Each adds to keys and returns nullptr, or says what is wrong with the file.
const char* add_pem(rl_str_t file, rl_jwt_keys_t* keys);
const char* add_jwks(rl_str_t file, rl_jwt_keys_t* keys);

// Takes pkey over, unless it does not suit the algorithm (false).
bool add_key(rl_jwt_keys_t* keys, EVP_PKEY* pkey);
// Copies the secret, unless it is too short (false).
bool add_secret(rl_jwt_keys_t* keys, rl_str_t secret);

extern const char kTooManyKeysPhrase[];
extern const char kPrivateKeyPhrase[];
extern const char kMemoryPhrase[];

// ----------------------------------------------------------- verification

// A token whose signature is right, whatever the time.
struct Verified {
  json_t* payload;        // an object, the caller's to release
  std::int64_t from_ms;   // nbf less the leeway
  std::int64_t until_ms;  // exp and the leeway; excluded
};

// nullptr: *out is filled; else why not.
const char* verify_token(const rl_jwt_set_t& set, rl_str_t token,
                         Verified* out);

// Whether input's signature is this; never leaves anything in OpenSSL's error
// queue.
bool verify_signature(const Algorithm& algorithm, const JwtKey& key,
                      rl_str_t input, rl_str_t signature);

// A digest context set up to verify by this key; nullptr: it cannot.
EVP_MD_CTX* start_verifying(const Algorithm& algorithm, EVP_PKEY* pkey);

// ----------------------------------------------------------------- claims

// What a name, or a JSON pointer that rl_parse_claim takes, points to.
const json_t* find_claim(const json_t* json, rl_str_t name);

// The value of a claim as text: a slice of claims or of buf; empty if there
// is none.
constexpr std::size_t kIntegerLen = 20;
rl_str_t claim_value(const json_t* claims, rl_str_t name,
                     Byte buf[kIntegerLen]);

// A NumericDate of RFC 7519 in milliseconds, saturated; false if it is no
// number.  A string of digits beyond int64 is one, see parse_part.
bool date_ms(const json_t* date, std::int64_t* out);

// ------------------------------------------------------------------- tools

// base64url as RFC 7515 has it: no padding, no other byte, no bit set behind
// the last byte.  buf has room for 3/4 of the text.  false: text is not that.
bool base64url_decoded(rl_str_t text, Byte* buf, rl_str_t* out);

// A JSON object without duplicate members; nullptr: text is none.
json_t* parse_key_set(rl_str_t text);

// The JSON object that a part of a token holds; nullptr: text is none.  Of a
// member twice the last one, as RFC 7515 and 7519 have it.  An integer beyond
// int64 is a string of its digits.
constexpr std::size_t kMaxDecodedLen = RL_JWT_MAX_TOKEN_LEN / 4 * 3;
json_t* parse_part(rl_str_t text);

// The same of any object or array and any length, by way of a buffer of
// 10/9 of the text and two bytes; nullptr: it is none.
json_t* parse_loosely(rl_str_t text, Byte* buf);

// Whether text is an integer as JSON has it that is beyond int64.
bool is_beyond_int64(rl_str_t text);

inline rl_str_t to_str(const json_t* string) {
  return {json_string_length(string),
          reinterpret_cast<const Byte*>(json_string_value(string))};
}

inline std::string_view to_view(rl_str_t text) {
  return {reinterpret_cast<const char*>(text.data), text.len};
}

// Drops what OpenSSL queues as errors meanwhile: nginx takes what is left
// there for an error of its own next TLS connection.
class ErrorMark {
 public:
  ErrorMark() { ERR_set_mark(); }
  ~ErrorMark() { ERR_pop_to_mark(); }
  ErrorMark(const ErrorMark&) = delete;
  ErrorMark& operator=(const ErrorMark&) = delete;
};

// Owns a reference.
class Json {
 public:
  explicit Json(json_t* json) : json_(json) {}
  ~Json() { json_decref(json_); }
  Json(const Json&) = delete;
  Json& operator=(const Json&) = delete;

  json_t* get() const { return json_; }
  json_t* release() {
    json_t* const json = json_;
    json_ = nullptr;
    return json;
  }

 private:
  json_t* json_;
};

}  // namespace ratelimit

struct rl_jwt_keys_s {
  const ratelimit::Algorithm* algorithm;
  std::size_t n;
  ratelimit::JwtKey keys[RL_JWT_MAX_KEYS];
};

#endif  // RATELIMIT_JWT_JWT_H_
