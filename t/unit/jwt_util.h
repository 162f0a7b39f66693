// What the tests of JSON Web Tokens share: keys made on the spot, tokens
// signed by them with OpenSSL, and a verifier with a time of its own.

#ifndef T_UNIT_JWT_UTIL_H_
#define T_UNIT_JWT_UTIL_H_

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ratelimit/jwt/jwt.h"
#include "ratelimit/ratelimit.h"
#include "text_util.h"

inline std::string b64(const std::string& bytes) {
  static const char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  unsigned bits = 0;
  int n = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (n += 8; n >= 6; n -= 6) {
      out += digits[bits >> (n - 6) & 63];
    }
  }
  if (n != 0) out += digits[bits << (6 - n) & 63];
  return out;
}

inline std::string unb64(const std::string& text) {
  std::string buf(text.size(), 0);
  rl_str_t out = {0, nullptr};
  if (!ratelimit::base64url_decoded(
          str(text), reinterpret_cast<unsigned char*>(buf.data()), &out)) {
    std::abort();
  }
  return str(out);
}

// A key pair.
class Pair {
 public:
  explicit Pair(EVP_PKEY* pkey) : pkey_(pkey) {
    if (pkey == nullptr) std::abort();
  }
  ~Pair() { EVP_PKEY_free(pkey_); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  EVP_PKEY* get() const { return pkey_; }

  std::string pem() const {
    return write([&](BIO* bio) { PEM_write_bio_PUBKEY(bio, pkey_); });
  }

  std::string private_pem() const {
    return write([&](BIO* bio) {
      PEM_write_bio_PrivateKey(bio, pkey_, nullptr, nullptr, 0, nullptr,
                               nullptr);
    });
  }

  // The members of the public key in a JWK; `more` are further ones.
  std::string jwk(const std::string& more = "") const {
    std::string members;
    if (EVP_PKEY_is_a(pkey_, "RSA") == 1) {
      members = R"("kty":"RSA","n":")" + number(OSSL_PKEY_PARAM_RSA_N, 0) +
                R"(","e":")" + number(OSSL_PKEY_PARAM_RSA_E, 0) + '"';
    } else if (EVP_PKEY_is_a(pkey_, "EC") == 1) {
      const int len = (EVP_PKEY_get_bits(pkey_) + 7) / 8;
      members = R"("kty":"EC","crv":"P-)" +
                std::to_string(EVP_PKEY_get_bits(pkey_)) + R"(","x":")" +
                number(OSSL_PKEY_PARAM_EC_PUB_X, len) + R"(","y":")" +
                number(OSSL_PKEY_PARAM_EC_PUB_Y, len) + '"';
    } else {
      std::string x(32, 0);
      std::size_t len = x.size();
      EVP_PKEY_get_raw_public_key(
          pkey_, reinterpret_cast<unsigned char*>(x.data()), &len);
      members = R"("kty":"OKP","crv":"Ed25519","x":")" + b64(x) + '"';
    }
    return "{" + members + more + "}";
  }

 private:
  template <typename Write>
  static std::string write(Write into) {
    BIO* const bio = BIO_new(BIO_s_mem());
    into(bio);
    char* data = nullptr;
    const long len = BIO_get_mem_data(bio, &data);
    std::string text(data, static_cast<std::size_t>(len));
    BIO_free(bio);
    return text;
  }

  std::string number(const char* name, int len) const {
    BIGNUM* bn = nullptr;
    if (EVP_PKEY_get_bn_param(pkey_, name, &bn) != 1) std::abort();
    if (len == 0) len = BN_num_bytes(bn);
    std::string bytes(static_cast<std::size_t>(len), 0);
    BN_bn2binpad(bn, reinterpret_cast<unsigned char*>(bytes.data()), len);
    BN_free(bn);
    return b64(bytes);
  }

  EVP_PKEY* pkey_;
};

inline const Pair& rsa() {
  static const Pair pair(EVP_RSA_gen(2048));
  return pair;
}

inline const Pair& p256() {
  static const Pair pair(EVP_EC_gen("P-256"));
  return pair;
}

inline const Pair& p384() {
  static const Pair pair(EVP_EC_gen("P-384"));
  return pair;
}

inline const Pair& ed25519() {
  static const Pair pair(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  return pair;
}

const std::string kSecret = "a secret of sixteen bytes or more";

inline const EVP_MD* digest_of(const std::string& alg) {
  const std::string bits = alg.size() == 5 ? alg.substr(2) : "";
  return bits == "256"   ? EVP_sha256()
         : bits == "384" ? EVP_sha384()
         : bits == "512" ? EVP_sha512()
                         : nullptr;
}

inline std::string hmac(const std::string& alg, const std::string& secret,
                        const std::string& input) {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned len = 0;
  HMAC(digest_of(alg), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(input.data()), input.size(), mac,
       &len);
  return std::string(reinterpret_cast<char*>(mac), len);
}

// The two numbers of a DER signature, each of `len` bytes.
inline std::string raw_ecdsa(const std::string& der, int len) {
  const unsigned char* at = reinterpret_cast<const unsigned char*>(der.data());
  ECDSA_SIG* const sig =
      d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
  std::string raw(static_cast<std::size_t>(2 * len), 0);
  auto* const to = reinterpret_cast<unsigned char*>(raw.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(sig), to, len);
  BN_bn2binpad(ECDSA_SIG_get0_s(sig), to + len, len);
  ECDSA_SIG_free(sig);
  return raw;
}

inline std::string public_signature(const std::string& alg, const Pair& pair,
                                    const std::string& input) {
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  EVP_PKEY_CTX* options = nullptr;
  EVP_DigestSignInit(context, &options, digest_of(alg), nullptr, pair.get());
  if (alg[0] == 'P') {
    EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST);
  }
  std::string signature(1024, 0);
  std::size_t len = signature.size();
  if (EVP_DigestSign(context,
                     reinterpret_cast<unsigned char*>(signature.data()), &len,
                     reinterpret_cast<const unsigned char*>(input.data()),
                     input.size()) != 1) {
    std::abort();
  }
  EVP_MD_CTX_free(context);
  signature.resize(len);
  return alg == "ES256"   ? raw_ecdsa(signature, 32)
         : alg == "ES384" ? raw_ecdsa(signature, 48)
                          : signature;
}

// A token of these two JSON texts, whatever the header says.
inline std::string sign(const std::string& header, const std::string& payload,
                        const std::string& alg, const Pair& pair) {
  const std::string input = b64(header) + "." + b64(payload);
  return input + "." + b64(public_signature(alg, pair, input));
}

inline std::string sign(const std::string& header, const std::string& payload,
                        const std::string& alg = "HS256",
                        const std::string& secret = kSecret) {
  const std::string input = b64(header) + "." + b64(payload);
  return input + "." + b64(hmac(alg, secret, input));
}

inline const Pair& pair_for(const std::string& alg) {
  return alg == "ES256"   ? p256()
         : alg == "ES384" ? p384()
         : alg == "EdDSA" ? ed25519()
                          : rsa();
}

// As an issuer would sign it.
inline std::string issue(const std::string& alg, const std::string& payload) {
  const std::string header = R"({"alg":")" + alg + "\"}";
  return alg[0] == 'H' ? sign(header, payload, alg)
                       : sign(header, payload, alg, pair_for(alg));
}

inline rl_jwt_algorithm_e algorithm(const std::string& name) {
  rl_jwt_algorithm_e out = RL_HS256;
  if (rl_parse_jwt_algorithm(str(name), &out) != nullptr) std::abort();
  return out;
}

// "" or why the file is refused.
inline std::string load(const std::string& alg, const std::string& file,
                        rl_jwt_keys_t** out = nullptr) {
  rl_jwt_keys_t* keys = nullptr;
  const Exact in(file);
  const char* const error = rl_jwt_keys_create(algorithm(alg), in, &keys);
  if (error != nullptr) return error;
  if (out == nullptr) {
    rl_jwt_keys_destroy(keys);
  } else {
    *out = keys;
  }
  return "";
}

// Lines of "ratelimit_jwt" and a cache.
class Verifier {
 public:
  explicit Verifier(std::initializer_list<const char*> claims = {"sub"}) {
    for (const char* claim : claims) {
      names_.emplace_back(claim);
    }
    for (const std::string& name : names_) {
      claims_.push_back(str(name));
    }
    const std::size_t size = rl_jwt_cache_size(claims_.size());
    memory_.reset(new std::uint64_t[size / 8 + 1]);
    const unsigned char seed[16] = {1, 2, 3};
    cache_ = rl_jwt_cache_create(memory_.get(), claims_.data(), claims_.size(),
                                 seed);
  }
  ~Verifier() {
    for (rl_jwt_keys_t* keys : keys_) {
      rl_jwt_keys_destroy(keys);
    }
  }
  Verifier(const Verifier&) = delete;
  Verifier& operator=(const Verifier&) = delete;

  Verifier& line(const std::string& alg, const std::string& file,
                 std::uint64_t leeway_ms = 0) {
    rl_jwt_keys_t* keys = nullptr;
    if (!load(alg, file, &keys).empty()) std::abort();
    keys_.push_back(keys);
    lines_.push_back({keys, leeway_ms});
    return *this;
  }

  // What configuration says of the lines: "", "kid needed" or what is wrong.
  std::string check() const {
    const rl_jwt_set_t set = {set_id, lines_.data(), lines_.size()};
    int kid_needed = 0;
    const char* const error = rl_jwt_check(&set, &kid_needed);
    return error != nullptr ? error : kid_needed != 0 ? "kid needed" : "";
  }

  // From now on nothing but what is remembered verifies.
  void drop_lines() { lines_.clear(); }

  // The claims' values or what stands for them, of a token named once.
  std::string several(const std::string& token, std::size_t n) {
    const rl_jwt_set_t set = {set_id, lines_.data(), lines_.size()};
    const Exact in(token);
    rl_jwt_token_t named;
    rl_jwt_name(cache_, &set, in, &named);
    std::string values;
    for (std::size_t i = 0; i < n; i++) {
      rl_str_t out = {0, nullptr};
      const char* const error =
          rl_jwt_claim(cache_, &set, &named, i, &now, &out);
      values += error == nullptr ? str(out) + " " : std::string("! ");
    }
    return values;
  }

  // The claim's value, or "!" and why there is none.
  std::string operator()(const std::string& token, std::size_t claim = 0) {
    const rl_jwt_set_t set = {set_id, lines_.data(), lines_.size()};
    const Exact in(token);
    rl_str_t out = {0, nullptr};
    rl_jwt_token_t named;
    rl_jwt_name(cache_, &set, in, &named);
    const char* const error =
        rl_jwt_claim(cache_, &set, &named, claim, &now, &out);
    if (ERR_peek_error() != 0) return "!leaves an error in OpenSSL's queue";
    return error == nullptr ? str(out) : std::string("!") + error;
  }

  rl_time_t now = {0, 1700000000000};
  std::uint64_t set_id = 1;

 private:
  std::vector<std::string> names_;
  std::vector<rl_str_t> claims_;
  std::unique_ptr<std::uint64_t[]> memory_;
  rl_jwt_cache_t* cache_;
  std::vector<rl_jwt_keys_t*> keys_;
  std::vector<rl_jwt_line_t> lines_;
};

#endif  // T_UNIT_JWT_UTIL_H_
