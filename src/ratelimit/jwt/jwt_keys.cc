// Algorithms, and key files that are PEM or a secret.

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <cstring>

#include "ratelimit/jwt/jwt.h"
#include "ratelimit/base/choices.h"

namespace ratelimit {
namespace {

#define RL_SECRET_PHRASE \
  "must hold a secret of at least 16 bytes, as it is or in a JWKS"
#define RL_RSA_PHRASE(name)   \
  "must hold a key for " name \
  ": an RSA public key of 2048 to 8192 bits, as PEM or in a JWKS"
#define RL_CURVE_PHRASE(name, curve)                     \
  "must hold a key for " name ": a public key of " curve \
  ", as PEM or in a JWKS"

constexpr Algorithm kAlgorithms[] = {
    {RL_HS256, Family::kHmac, "HS256", EVP_sha256, "oct", "", nullptr, 0,
     RL_SECRET_PHRASE},
    {RL_HS384, Family::kHmac, "HS384", EVP_sha384, "oct", "", nullptr, 0,
     RL_SECRET_PHRASE},
    {RL_HS512, Family::kHmac, "HS512", EVP_sha512, "oct", "", nullptr, 0,
     RL_SECRET_PHRASE},
    {RL_RS256, Family::kRsa, "RS256", EVP_sha256, "RSA", "", nullptr, 0,
     RL_RSA_PHRASE("RS256")},
    {RL_RS384, Family::kRsa, "RS384", EVP_sha384, "RSA", "", nullptr, 0,
     RL_RSA_PHRASE("RS384")},
    {RL_RS512, Family::kRsa, "RS512", EVP_sha512, "RSA", "", nullptr, 0,
     RL_RSA_PHRASE("RS512")},
    {RL_PS256, Family::kRsaPss, "PS256", EVP_sha256, "RSA", "", nullptr, 0,
     RL_RSA_PHRASE("PS256")},
    {RL_ES256, Family::kEcdsa, "ES256", EVP_sha256, "EC", "P-256",
     "prime256v1", 32, RL_CURVE_PHRASE("ES256", "P-256")},
    {RL_ES384, Family::kEcdsa, "ES384", EVP_sha384, "EC", "P-384", "secp384r1",
     48, RL_CURVE_PHRASE("ES384", "P-384")},
    {RL_EDDSA, Family::kEdDsa, "EdDSA", nullptr, "OKP", "Ed25519", nullptr, 0,
     RL_CURVE_PHRASE("EdDSA", "Ed25519")},
};
static_assert(in_order(kAlgorithms), "indexed by rl_jwt_algorithm_e");
static_assert(kMinSecretLen == 16 && kMinRsaBits == 2048 &&
                  kMaxRsaBits == 8192,
              "as the phrases say");

constexpr auto kAlgorithmPhrase = must_be_one_of<kAlgorithms>();

constexpr const char* kPemForSecretPhrase =
    "must hold a secret, not a PEM key: nobody may sign with a public key";

constexpr std::string_view kPemBegin = "-----BEGIN ";

// A secret is bytes, and a text one whose file an editor or echo may have
// ended with a newline.
bool is_text(rl_str_t file) {
  for (std::size_t i = 0; i < file.len; i++) {
    const Byte c = file.data[i];
    if ((c < ' ' && c != '\t' && c != '\r' && c != '\n') || c >= 0x7f) {
      return false;
    }
  }
  return true;
}

bool starts_with(rl_str_t text, std::string_view start) {
  return text.len >= start.size() &&
         std::memcmp(text.data, start.data(), start.size()) == 0;
}

rl_str_t without_blanks_before(rl_str_t text) {
  while (text.len != 0 && is_blank(*text.data)) {
    text = slice(text.data + 1, text.data + text.len);
  }
  return text;
}

rl_str_t without_newline(rl_str_t text) {
  if (text.len != 0 && text.data[text.len - 1] == '\n') text.len--;
  if (text.len != 0 && text.data[text.len - 1] == '\r') text.len--;
  return text;
}

std::size_t count_pem_blocks(rl_str_t file) {
  std::size_t n = 0;
  for (; file.len >= kPemBegin.size();
       file = slice(file.data + 1, file.data + file.len)) {
    n += starts_with(file, kPemBegin);
  }
  return n;
}

// A key file must not make nginx ask its terminal for a password.
int no_password(char*, int, int, void*) {
  return -1;
}

bool suits(const Algorithm& algorithm, EVP_PKEY* pkey) {
  char group[32];
  std::size_t len = 0;
  const int bits = EVP_PKEY_get_bits(pkey);
  switch (algorithm.family) {
    case Family::kRsa:
    case Family::kRsaPss:
      if (bits < kMinRsaBits || bits > kMaxRsaBits) return false;
      return EVP_PKEY_is_a(pkey, "RSA") == 1 ||
             (algorithm.family == Family::kRsaPss &&
              EVP_PKEY_is_a(pkey, "RSA-PSS") == 1);
    case Family::kEcdsa:
      return EVP_PKEY_is_a(pkey, "EC") == 1 &&
             EVP_PKEY_get_group_name(pkey, group, sizeof(group), &len) == 1 &&
             std::string_view(group, len) == algorithm.group;
    case Family::kEdDsa:
      return EVP_PKEY_is_a(pkey, "ED25519") == 1;
    case Family::kHmac:
      break;
  }
  return false;
}

// An exponent of 1 or a point beside the curve would verify anything.
bool is_sound(EVP_PKEY* pkey) {
  EVP_PKEY_CTX* const context =
      EVP_PKEY_CTX_new_from_pkey(nullptr, pkey, nullptr);
  const bool sound = context != nullptr && EVP_PKEY_public_check(context) == 1;
  EVP_PKEY_CTX_free(context);
  return sound;
}

// A key may carry restrictions, such as an RSA-PSS key for another digest.
bool can_verify(const Algorithm& algorithm, EVP_PKEY* pkey) {
  EVP_MD_CTX* const context = start_verifying(algorithm, pkey);
  EVP_MD_CTX_free(context);
  return context != nullptr;
}

const char* load(rl_str_t file, rl_jwt_keys_t* keys) {
  const bool hmac = keys->algorithm->family == Family::kHmac;
  const bool text = is_text(file);
  const rl_str_t start = without_blanks_before(file);
  // One in 256 binary secrets begins like JSON.
  if (starts_with(start, "{") && (text || !hmac)) return add_jwks(file, keys);
  if (!hmac) return add_pem(file, keys);
  if (starts_with(start, kPemBegin)) return kPemForSecretPhrase;
  return add_secret(keys, text ? without_newline(file) : file)
             ? nullptr
             : keys->algorithm->key_phrase;
}

}  // namespace

const char kTooManyKeysPhrase[] = "must hold at most 64 keys";
static_assert(RL_JWT_MAX_KEYS == 64, "as the phrase says");
const char kPrivateKeyPhrase[] =
    "must hold public keys only: nginx has no use for a private one";
const char kMemoryPhrase[] = "needs more memory than there is";

const Algorithm& algorithm_of(rl_jwt_algorithm_e kind) {
  return kAlgorithms[kind];
}

const Algorithm* find_algorithm(std::string_view name) {
  for (const auto& row : kAlgorithms) {
    if (row.usage == name) return &row;
  }
  return nullptr;
}

bool add_key(rl_jwt_keys_t* keys, EVP_PKEY* pkey) {
  const Algorithm& algorithm = *keys->algorithm;
  if (!suits(algorithm, pkey) || !is_sound(pkey) ||
      !can_verify(algorithm, pkey)) {
    return false;
  }
  keys->keys[keys->n++].pkey = pkey;
  return true;
}

bool add_secret(rl_jwt_keys_t* keys, rl_str_t secret) {
  if (secret.len < kMinSecretLen) return false;
  JwtKey* const key = &keys->keys[keys->n];
  key->secret = static_cast<Byte*>(OPENSSL_memdup(secret.data, secret.len));
  if (key->secret == nullptr) return false;
  key->secret_len = secret.len;
  keys->n++;
  return true;
}

const char* add_pem(rl_str_t file, rl_jwt_keys_t* keys) {
  const char* error = keys->algorithm->key_phrase;
  const std::size_t blocks = count_pem_blocks(file);
  if (blocks == 0) return error;
  if (blocks > RL_JWT_MAX_KEYS) return kTooManyKeysPhrase;
  BIO* const bio = BIO_new_mem_buf(file.data, static_cast<int>(file.len));
  if (bio == nullptr) return kMemoryPhrase;
  for (;;) {
    EVP_PKEY* const pkey =
        PEM_read_bio_PUBKEY(bio, nullptr, no_password, nullptr);
    if (pkey == nullptr) break;
    if (!add_key(keys, pkey)) {
      EVP_PKEY_free(pkey);
      break;
    }
  }
  BIO_free(bio);
  // Blocks of other kinds were passed over: a private key, a certificate.
  return keys->n == blocks ? nullptr : error;
}

}  // namespace ratelimit

const char* rl_parse_jwt_algorithm(rl_str_t text,
                                   rl_jwt_algorithm_e* out) noexcept {
  const auto* row = ratelimit::find_algorithm(ratelimit::to_view(text));
  if (row == nullptr) return ratelimit::kAlgorithmPhrase.text;
  *out = row->kind;
  return nullptr;
}

const char* rl_jwt_keys_create(rl_jwt_algorithm_e algorithm, rl_str_t file,
                               rl_jwt_keys_t** out) noexcept {
  const ratelimit::ErrorMark mark;
  auto* keys =
      static_cast<rl_jwt_keys_t*>(OPENSSL_zalloc(sizeof(rl_jwt_keys_t)));
  if (keys == nullptr) return ratelimit::kMemoryPhrase;
  keys->algorithm = &ratelimit::algorithm_of(algorithm);
  const char* const error = ratelimit::load(file, keys);
  if (error == nullptr) {
    *out = keys;
  } else {
    rl_jwt_keys_destroy(keys);
  }
  return error;
}

void rl_jwt_keys_destroy(rl_jwt_keys_t* keys) noexcept {
  for (std::size_t i = 0; i < keys->n; i++) {
    const ratelimit::JwtKey& key = keys->keys[i];
    EVP_PKEY_free(key.pkey);
    OPENSSL_clear_free(key.secret, key.secret_len);
    OPENSSL_free(key.kid);
  }
  OPENSSL_free(keys);
}
