// JSON Web Tokens: key files, tokens, and payloads behind a good signature.
//
// The first byte says which.  Nothing but what was signed here may verify, and
// what did verify gives the same value when it is asked for again.

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "ratelimit/jwt/jwt.h"
#include "ratelimit/ratelimit.h"

namespace {

const std::string kSecret = "a secret of sixteen bytes or more";
const std::string kFiles[] = {
    kSecret,
    R"({"keys":[{"kty":"EC","crv":"P-256","kid":"1",)"
    R"("x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})",
    R"({"keys":[{"kty":"OKP","crv":"Ed25519",)"
    R"("x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})",
};
const rl_jwt_algorithm_e kAlgorithms[] = {RL_HS256, RL_ES256, RL_EDDSA};
const std::string kNames[] = {"sub", "/a/0", "/a/b~0~1"};

void require(bool condition) {
  if (!condition) std::abort();
}

rl_str_t str(const std::string& text) {
  return {text.size(), reinterpret_cast<const unsigned char*>(text.data())};
}

std::string b64(const std::string& bytes) {
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

struct Setup {
  Setup() {
    for (int i = 0; i < 3; i++) {
      rl_jwt_keys_t* keys = nullptr;
      require(rl_jwt_keys_create(kAlgorithms[i], str(kFiles[i]), &keys) ==
              nullptr);
      lines.push_back({keys, 0});
      claims.push_back(str(kNames[i]));
    }
    memory.resize(rl_jwt_cache_size(claims.size()) / 8 + 1);
    const unsigned char seed[16] = {7};
    cache =
        rl_jwt_cache_create(memory.data(), claims.data(), claims.size(), seed);
    set = {1, lines.data(), lines.size()};
  }

  ~Setup() {
    for (std::size_t i = 0; i < lines.size(); i++) {
      rl_jwt_keys_destroy(const_cast<rl_jwt_keys_t*>(lines[i].keys));
    }
  }
  Setup(const Setup&) = delete;
  Setup& operator=(const Setup&) = delete;

  std::vector<rl_jwt_line_t> lines;
  std::vector<rl_str_t> claims;
  std::vector<std::uint64_t> memory;
  rl_jwt_cache_t* cache;
  rl_jwt_set_t set;
};

// Whether the token verifies, whatever its claims.
bool ask(const std::string& token) {
  static Setup setup;
  const rl_time_t now = {0, 1700000000000};
  const std::vector<unsigned char> in(token.begin(), token.end());
  bool verified = false;
  for (std::size_t i = 0; i < setup.claims.size(); i++) {
    std::string first;
    for (int again = 0; again < 2; again++) {
      rl_str_t out = {0, nullptr};
      rl_jwt_token_t named;
      rl_jwt_name(setup.cache, &setup.set, {in.size(), in.data()}, &named);
      const char* const error =
          rl_jwt_claim(setup.cache, &setup.set, &named, i, &now, &out);
      require(ERR_peek_error() == 0);
      const std::string value =
          error != nullptr
              ? error
              : std::string(reinterpret_cast<const char*>(out.data), out.len);
      require(error != nullptr || out.len != 0);
      require(again == 0 || value == first);
      first = value;
      verified |= error == nullptr || value == "has no such claim" ||
                  value == "has expired" || value == "is not valid yet";
    }
  }
  return verified;
}

void load(std::uint8_t which, const std::string& file) {
  rl_jwt_keys_t* keys = nullptr;
  const auto algorithm = static_cast<rl_jwt_algorithm_e>(which % 10);
  if (rl_jwt_keys_create(algorithm, str(file), &keys) == nullptr) {
    require(keys->n != 0 && keys->n <= RL_JWT_MAX_KEYS);
    rl_jwt_keys_destroy(keys);
  }
  require(ERR_peek_error() == 0);
}

// What jansson takes as it stands is not changed, whatever is done to the rest.
void prepare(const std::string& text) {
  const std::string other = R"({"sub":"alice","x":)" + text + "}";
  if (other.size() > ratelimit::kMaxDecodedLen) return;
  json_error_t error;
  json_t* const plain =
      json_loadb(text.data(), text.size(), JSON_ALLOW_NUL, &error);
  json_t* const part = ratelimit::parse_part(str(text));
  json_t* const whole = ratelimit::parse_part(str(other));
  require(!json_is_object(plain) || json_equal(plain, part));
  require(part == nullptr ||
          json_equal(json_object_get(whole, "x"), part));
  json_decref(whole);
  json_decref(part);
  json_decref(plain);
}

std::string sign(const std::string& input) {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned len = 0;
  HMAC(EVP_sha256(), kSecret.data(), static_cast<int>(kSecret.size()),
       reinterpret_cast<const unsigned char*>(input.data()), input.size(), mac,
       &len);
  return input + "." + b64(std::string(reinterpret_cast<char*>(mac), len));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::string header = R"({"alg":"HS256"})";
  switch (data[0] >> 6) {
    case 0:  // a key file
      load(data[0] & 63, text);
      break;
    case 1:  // a token as it comes
      require(!ask(text));
      break;
    case 2:  // any header and payload, with a signature that is none
      require(!ask(b64(header) + "." + b64(text) + "." + b64("forged")));
      require(!ask(b64(text) + "." + b64("{}") + "." +
                   b64(std::string(64, '\1'))));
      break;
    default:  // any payload, signed
      prepare(text);
      ask(sign(b64(header) + "." + b64(text)));
      break;
  }
  return 0;
}
