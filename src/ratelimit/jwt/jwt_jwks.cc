// Key files that are a JWK Set (RFC 7517, 7518, 8037).
//
// Issuers publish one set for all they do: keys of other types, for other
// algorithms, for encryption.  These are passed over, as RFC 7517 has it.  A
// key for this algorithm must be right, and one that contradicts itself is
// refused, as nobody can say what it was meant for.

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <cstring>

#include "ratelimit/jwt/jwt.h"

namespace ratelimit {
namespace {

constexpr const char* kJsonPhrase =
    "must be valid JSON without duplicate members";
constexpr const char* kSetPhrase =
    "must be a JWKS: an object with an array \"keys\" of objects";
constexpr const char* kMemberPhrase =
    "must have strings as \"kty\", \"crv\", \"alg\", \"use\" and \"kid\" of a "
    "key";
constexpr const char* kContradictionPhrase =
    "must not hold a key whose \"alg\" contradicts its \"kty\", \"crv\" or "
    "\"use\"";

// The longest number: an RSA modulus.
constexpr std::size_t kMaxNumberLen = kMaxRsaBits / 8;

// A string member; empty where there is none, and false if it is no string.
bool get_text(const json_t* jwk, const char* name, std::string_view* out) {
  const json_t* const member = json_object_get(jwk, name);
  *out = {};
  if (member == nullptr) return true;
  if (!json_is_string(member)) return false;
  *out = to_view(to_str(member));
  return true;
}

// A base64url member of at most room bytes, decoded into buf.
bool get_bytes(const json_t* jwk, const char* name, Byte* buf,
               std::size_t room, rl_str_t* out) {
  const json_t* const member = json_object_get(jwk, name);
  if (!json_is_string(member)) return false;
  const rl_str_t text = to_str(member);
  return text.len / 4 * 3 <= room && text.len <= room * 2 &&
         base64url_decoded(text, buf, out) && out->len != 0;
}

EVP_PKEY* make_key(const char* type, OSSL_PARAM_BLD* builder) {
  EVP_PKEY* pkey = nullptr;
  OSSL_PARAM* const params = OSSL_PARAM_BLD_to_param(builder);
  EVP_PKEY_CTX* const context =
      EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr);
  if (params != nullptr && context != nullptr &&
      EVP_PKEY_fromdata_init(context) == 1 &&
      EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1) {
    pkey = nullptr;
  }
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_free(params);
  return pkey;
}

EVP_PKEY* make_rsa(const json_t* jwk) {
  Byte n_bytes[kMaxNumberLen + 3];
  Byte e_bytes[kMaxNumberLen + 3];
  rl_str_t n;
  rl_str_t e;
  if (!get_bytes(jwk, "n", n_bytes, kMaxNumberLen, &n) ||
      !get_bytes(jwk, "e", e_bytes, kMaxNumberLen, &e)) {
    return nullptr;
  }
  EVP_PKEY* pkey = nullptr;
  BIGNUM* const modulus = BN_bin2bn(n.data, static_cast<int>(n.len), nullptr);
  BIGNUM* const exponent = BN_bin2bn(e.data, static_cast<int>(e.len), nullptr);
  OSSL_PARAM_BLD* const builder = OSSL_PARAM_BLD_new();
  if (modulus != nullptr && exponent != nullptr && builder != nullptr &&
      OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
      OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1) {
    pkey = make_key("RSA", builder);
  }
  OSSL_PARAM_BLD_free(builder);
  BN_free(exponent);
  BN_free(modulus);
  return pkey;
}

EVP_PKEY* make_ec(const json_t* jwk, const Algorithm& algorithm) {
  constexpr std::size_t kMaxLen = 48;
  const std::size_t len = algorithm.number_len;
  Byte x_bytes[kMaxLen + 3];
  Byte y_bytes[kMaxLen + 3];
  rl_str_t x;
  rl_str_t y;
  if (!get_bytes(jwk, "x", x_bytes, kMaxLen, &x) || x.len != len ||
      !get_bytes(jwk, "y", y_bytes, kMaxLen, &y) || y.len != len) {
    return nullptr;
  }
  Byte point[1 + 2 * kMaxLen];
  point[0] = POINT_CONVERSION_UNCOMPRESSED;
  std::memcpy(point + 1, x.data, len);
  std::memcpy(point + 1 + len, y.data, len);
  EVP_PKEY* pkey = nullptr;
  OSSL_PARAM_BLD* const builder = OSSL_PARAM_BLD_new();
  if (builder != nullptr &&
      OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME,
                                      algorithm.group, 0) == 1 &&
      OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point,
                                       1 + 2 * len) == 1) {
    pkey = make_key("EC", builder);
  }
  OSSL_PARAM_BLD_free(builder);
  return pkey;
}

EVP_PKEY* make_ed25519(const json_t* jwk) {
  constexpr std::size_t kLen = 32;
  Byte bytes[kLen + 3];
  rl_str_t x;
  if (!get_bytes(jwk, "x", bytes, kLen, &x) || x.len != kLen) return nullptr;
  return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, x.data, x.len);
}

bool add_oct(const json_t* jwk, rl_jwt_keys_t* keys) {
  const json_t* const member = json_object_get(jwk, "k");
  if (!json_is_string(member)) return false;
  const std::size_t room = json_string_length(member);
  Byte* const buf = static_cast<Byte*>(OPENSSL_malloc(room + 1));
  rl_str_t secret;
  const bool added = buf != nullptr &&
                     base64url_decoded(to_str(member), buf, &secret) &&
                     add_secret(keys, secret);
  OPENSSL_clear_free(buf, room + 1);
  return added;
}

bool add_public(const json_t* jwk, rl_jwt_keys_t* keys) {
  const Algorithm& algorithm = *keys->algorithm;
  EVP_PKEY* pkey = nullptr;
  switch (algorithm.family) {
    case Family::kRsa:
    case Family::kRsaPss:
      pkey = make_rsa(jwk);
      break;
    case Family::kEcdsa:
      pkey = make_ec(jwk, algorithm);
      break;
    case Family::kEdDsa:
      pkey = make_ed25519(jwk);
      break;
    case Family::kHmac:
      break;
  }
  if (pkey == nullptr) return false;
  const bool added = add_key(keys, pkey);
  if (!added) EVP_PKEY_free(pkey);
  return added;
}

bool may_verify(const json_t* jwk) {
  const json_t* const operations = json_object_get(jwk, "key_ops");
  if (operations == nullptr) return true;
  for (std::size_t i = 0; i < json_array_size(operations); i++) {
    const json_t* const operation = json_array_get(operations, i);
    if (json_is_string(operation) && to_view(to_str(operation)) == "verify") {
      return true;
    }
  }
  return false;
}

// Whether the key is for this algorithm, or an error.
const char* is_meant(const json_t* jwk, const Algorithm& algorithm,
                     bool* meant) {
  std::string_view kty, crv, alg, use;
  if (!get_text(jwk, "kty", &kty) || kty.empty() ||
      !get_text(jwk, "crv", &crv) || !get_text(jwk, "alg", &alg) ||
      !get_text(jwk, "use", &use)) {
    return kMemberPhrase;
  }
  if (json_object_get(jwk, "d") != nullptr) return kPrivateKeyPhrase;
  const bool signs = use.empty() || use == "sig";
  const Algorithm* const named = find_algorithm(alg);
  // EdDSA has a second curve, Ed448, which is not known here.
  if (named != nullptr &&
      (kty != named->kty || !signs ||
       (named->family == Family::kEcdsa && crv != named->crv))) {
    return kContradictionPhrase;
  }
  *meant = signs && kty == algorithm.kty &&
           (algorithm.crv.empty() || crv == algorithm.crv) &&
           (alg.empty() || named == &algorithm) && may_verify(jwk);
  return nullptr;
}

const char* add_jwk(const json_t* jwk, rl_jwt_keys_t* keys) {
  const Algorithm& algorithm = *keys->algorithm;
  bool meant = false;
  const char* const error = is_meant(jwk, algorithm, &meant);
  if (error != nullptr || !meant) return error;
  std::string_view kid;
  const json_t* const kid_member = json_object_get(jwk, "kid");
  if (!get_text(jwk, "kid", &kid)) return kMemberPhrase;
  if (keys->n == RL_JWT_MAX_KEYS) return kTooManyKeysPhrase;
  const bool hmac = algorithm.family == Family::kHmac;
  if (!(hmac ? add_oct(jwk, keys) : add_public(jwk, keys))) {
    return algorithm.key_phrase;
  }
  if (kid_member == nullptr) return nullptr;
  JwtKey* const key = &keys->keys[keys->n - 1];
  // One byte more: a "kid" may be empty, which is not the same as none.
  key->kid = static_cast<Byte*>(OPENSSL_malloc(kid.size() + 1));
  if (key->kid == nullptr) return kMemoryPhrase;
  if (!kid.empty()) std::memcpy(key->kid, kid.data(), kid.size());
  key->kid_len = kid.size();
  return nullptr;
}

}  // namespace

const char* add_jwks(rl_str_t file, rl_jwt_keys_t* keys) {
  const Json root(parse_key_set(file));
  if (root.get() == nullptr) return kJsonPhrase;
  const json_t* const list = json_object_get(root.get(), "keys");
  if (!json_is_array(list)) return kSetPhrase;
  for (std::size_t i = 0; i < json_array_size(list); i++) {
    const json_t* const jwk = json_array_get(list, i);
    if (!json_is_object(jwk)) return kSetPhrase;
    const char* const error = add_jwk(jwk, keys);
    if (error != nullptr) return error;
  }
  return keys->n != 0 ? nullptr : keys->algorithm->key_phrase;
}

}  // namespace ratelimit
