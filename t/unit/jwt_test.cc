// Tokens: the vectors of the RFCs, every algorithm, and hostile ones.

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "jwt_util.h"

namespace {

const char* const kAlgorithms[] = {"HS256", "HS384", "HS512", "RS256",
                                   "RS384", "RS512", "PS256", "ES256",
                                   "ES384", "EdDSA"};

std::string key_file(const std::string& alg) {
  return alg[0] == 'H' ? kSecret : pair_for(alg).pem();
}

// ----------------------------------------------------------------- vectors

constexpr const char* kRfc7515Payload =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
    "bS9pc19yb290Ijp0cnVlfQ";

struct Vector {
  const char* name;
  const char* alg;
  const char* jwk;
  const char* header;
  const char* signature;
};

const Vector kRfc7515[] = {
    {"A.1", "HS256",
     R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZ)"
     R"(H75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})",
     "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
     "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
    {"A.2", "RS256",
     R"({"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W)"
     R"(26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_)"
     R"(YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbB)"
     R"(YUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4)"
     R"(LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9)"
     R"(gb54h4FRWyuXpoQ","e":"AQAB"})",
     "eyJhbGciOiJSUzI1NiJ9",
     "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4B"
     "h-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZ"
     "LgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d"
     "O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6"
     "LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
    {"A.3", "ES256",
     R"({"kty":"EC","crv":"P-256",)"
     R"("x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
     R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})",
     "eyJhbGciOiJFUzI1NiJ9",
     "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKT"
     "UJqPP3-Kg6NU1Q"},
};

TEST(Jwt, Rfc7515) {
  for (const Vector& vector : kRfc7515) {
    Verifier verifier({"iss", "http://example.com/is_root", "exp"});
    verifier.line(vector.alg, std::string(R"({"keys":[)") + vector.jwk + "]}");
    const std::string token = std::string(vector.header) + "." +
                              kRfc7515Payload + "." + vector.signature;
    verifier.now.wall_ms = 1300819379999;
    EXPECT_EQ(verifier(token), "joe") << vector.name;
    EXPECT_EQ(verifier(token, 1), "!has no such claim") << vector.name;
    EXPECT_EQ(verifier(token, 2), "1300819380") << vector.name;
    verifier.now.wall_ms = 1300819380000;
    EXPECT_EQ(verifier(token), "!has expired") << vector.name;
  }
}

// Its payload is no JSON, so it is a signature that verifies and no token.
TEST(Jwt, Rfc8037) {
  const std::string input =
      "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
  const std::string signature =
      "hgyY0il_MGCjP0JzlnLWG1PPOt7-"
      "09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7"
      "sVvpAr_MuM0KAg";
  const std::string file =
      R"({"keys":[{"kty":"OKP","crv":"Ed25519",)"
      R"("x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})";
  rl_jwt_keys_t* keys = nullptr;
  ASSERT_EQ(load("EdDSA", file, &keys), "");
  EXPECT_TRUE(ratelimit::verify_signature(*keys->algorithm, keys->keys[0],
                                          str(input), str(unb64(signature))));
  rl_jwt_keys_destroy(keys);
  Verifier verifier;
  verifier.line("EdDSA", file);
  EXPECT_EQ(verifier(input + "." + signature),
            "!has a payload that is no JSON object");
}

// -------------------------------------------------------------- algorithms

TEST(Jwt, EveryAlgorithmVerifiesItsOwnAndNoOther) {
  for (const std::string signer : kAlgorithms) {
    const std::string token = issue(signer, R"({"sub":"alice"})");
    for (const std::string alg : kAlgorithms) {
      Verifier verifier;
      verifier.line(alg, key_file(alg));
      EXPECT_EQ(verifier(token),
                alg == signer ? "alice"
                              : "!has another algorithm than is configured")
          << signer << " by " << alg;
    }
  }
}

TEST(Jwt, EveryBitOfASignatureCounts) {
  for (const std::string alg : kAlgorithms) {
    Verifier verifier;
    verifier.line(alg, key_file(alg));
    const std::string token = issue(alg, R"({"sub":"alice"})");
    const std::size_t dot = token.rfind('.');
    const std::string signature = unb64(token.substr(dot + 1));
    for (std::size_t i = 0; i < signature.size() * 8; i += 37) {
      std::string forged = signature;
      forged[i / 8] = static_cast<char>(forged[i / 8] ^ 1 << i % 8);
      EXPECT_EQ(verifier(token.substr(0, dot + 1) + b64(forged)),
                "!has a wrong signature")
          << alg << ", bit " << i;
    }
    for (const std::string& forged :
         {std::string(), signature + '\0', signature.substr(1),
          std::string(1, 0) + signature,
          signature.substr(0, signature.size() - 1), signature + signature,
          std::string(signature.size(), 0), std::string(1, 0),
          std::string(signature.size(), '\xff'), std::string(2048, 'x')}) {
      EXPECT_EQ(verifier(token.substr(0, dot + 1) + b64(forged)),
                "!has a wrong signature")
          << alg << ", " << forged.size() << " bytes";
    }
    EXPECT_EQ(verifier(token), "alice");
  }
}

// One in 256 signatures begins with a zero, which has to be there.
TEST(Jwt, ALeadingZeroIsPartOfARsaSignature) {
  for (const std::string alg : {"RS256", "PS256"}) {
    Verifier verifier;
    verifier.line(alg, key_file(alg));
    std::string token;
    std::size_t signature_at = 0;
    std::string signature;
    for (int i = 0; signature.empty() || signature[0] != 0; i++) {
      token = issue(alg, R"({"sub":"alice","n":)" + std::to_string(i) + "}");
      signature_at = token.rfind('.') + 1;
      signature = unb64(token.substr(signature_at));
    }
    EXPECT_EQ(verifier(token), "alice") << alg;
    EXPECT_EQ(verifier(token.substr(0, signature_at) +
                       b64(signature.substr(1))),
              "!has a wrong signature")
        << alg;
  }
}

// r and s of zero, of the group's order, as DER, and in other lengths.
TEST(Jwt, EcdsaNumbers) {
  Verifier verifier;
  verifier.line("ES256", p256().pem());
  const std::string input =
      b64(R"({"alg":"ES256"})") + "." + b64(R"({"sub":"alice"})");
  const std::string raw = public_signature("ES256", p256(), input);
  const std::string r = raw.substr(0, 32);
  const std::string s = raw.substr(32);
  const std::string zero(32, 0);
  const std::string order =
      unb64("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE");
  ASSERT_EQ(order.size(), 32u);
  const std::string one = std::string(31, 0) + '\1';
  for (const std::string& forged :
       {zero + zero, r + zero, zero + s, order + s, r + order, one + one,
        order + order, s + r, zero + r + zero + s, r + s + zero,
        r.substr(1) + s, std::string(96, '\1')}) {
    EXPECT_EQ(verifier(input + "." + b64(forged)), "!has a wrong signature");
  }
  std::string der(80, 0);
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  std::size_t len = der.size();
  EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, p256().get());
  EVP_DigestSign(context, reinterpret_cast<unsigned char*>(der.data()), &len,
                 reinterpret_cast<const unsigned char*>(input.data()),
                 input.size());
  EVP_MD_CTX_free(context);
  der.resize(len);
  EXPECT_EQ(verifier(input + "." + b64(der)), "!has a wrong signature");
  EXPECT_EQ(verifier(input + "." + b64(raw_ecdsa(der, 32))), "alice");
}

// Numbers of every length, with and without a high bit, become right DER.
TEST(Jwt, EcdsaSignaturesOfManyMessages) {
  for (const std::string alg : {"ES256", "ES384"}) {
    Verifier verifier({"n"});
    verifier.line(alg, key_file(alg));
    for (int i = 0; i < rounds(300); i++) {
      const std::string n = std::to_string(i);
      EXPECT_EQ(verifier(issue(alg, "{\"n\":" + n + "}")), n);
    }
  }
}

// ------------------------------------------------------------------ forged

// What was a key is taken for a secret, if the token may say so.
TEST(Jwt, AlgorithmIsTheConfigurations) {
  Verifier verifier;
  verifier.line("RS256", rsa().pem()).line("ES256", p256().pem());
  const std::string payload = R"({"sub":"mallory"})";
  for (const std::string& secret :
       {rsa().pem(), rsa().pem().substr(0, rsa().pem().size() - 1),
        p256().pem(), std::string()}) {
    for (const std::string alg : {"HS256", "HS384", "HS512"}) {
      EXPECT_EQ(
          verifier(sign("{\"alg\":\"" + alg + "\"}", payload, alg, secret)),
          "!has another algorithm than is configured");
    }
    for (const std::string alg : {"RS256", "ES256"}) {
      EXPECT_EQ(verifier(sign("{\"alg\":\"" + alg + "\"}", payload, "HS256",
                              secret)),
                "!has a wrong signature");
    }
  }
  for (const char* alg :
       {"none", "None", "NONE", "nOnE", "", " none", "rs256", "RS256 ",
        "RS256\\u0000", "HS256,RS256", "ES256K", "RS1", "PS384", "A128KW"}) {
    const std::string header = std::string("{\"alg\":\"") + alg + "\"}";
    EXPECT_EQ(verifier(b64(header) + "." + b64(payload) + "."),
              "!names an unknown algorithm")
        << alg;
    EXPECT_EQ(verifier(sign(header, payload, "RS256", rsa())),
              "!names an unknown algorithm")
        << alg;
  }
}

TEST(Jwt, Headers) {
  const struct {
    const char* header;
    const char* answer;
  } cases[] = {
      {R"({"alg":"HS256","typ":"JWT","kid":"k","cty":7,"jku":"http://x/"})",
       "alice"},
      {" \t\r\n{\"alg\" : \"HS256\"} ", "alice"},
      {R"({"alg":"HS\u0032\u00356"})", "alice"},
      {R"({})", "!names no algorithm"},
      {R"({"alg":256})", "!names no algorithm"},
      {R"({"alg":null})", "!names no algorithm"},
      {R"({"alg":["HS256"]})", "!names no algorithm"},
      {R"({"Alg":"HS256"})", "!names no algorithm"},
      {R"({"alg":"HS256","crit":["exp"],"exp":1})", "!has \"crit\""},
      {R"({"alg":"HS256","crit":[]})", "!has \"crit\""},
      {R"({"alg":"HS256","crit":null})", "!has \"crit\""},
      {R"({"alg":"HS256","b64":false,"crit":["b64"]})", "!has \"crit\""},
      {R"({"alg":"HS256","kid":1})", "!has an invalid \"kid\""},
      {R"({"alg":"HS256","kid":null})", "!has an invalid \"kid\""},
      {R"({"alg":"none","alg":"HS256"})", "alice"},
      {R"({"alg":"HS256","alg":"none"})", "!names an unknown algorithm"},
      {R"({"alg":"HS256","kid":"a","kid":1})", "!has an invalid \"kid\""},
      {R"({"alg":"HS256","a\u0000b":1})", "alice"},
      {R"({"alg":"HS256","a":"\ud800","b":1e999})", "alice"},
      {R"({"alg":"HS256"}x)", "!has a header that is no JSON object"},
      {R"({"alg":"HS256",})", "!has a header that is no JSON object"},
      {R"({'alg':'HS256'})", "!has a header that is no JSON object"},
      {R"(["alg","HS256"])", "!has a header that is no JSON object"},
      {R"("HS256")", "!has a header that is no JSON object"},
      {"{\"alg\":\"HS256\",\"a\":\"\xc3\x28\"}",
       "!has a header that is no JSON object"},
      {"\xef\xbb\xbf{\"alg\":\"HS256\"}",
       "!has a header that is no JSON object"},
      {"", "!has a header that is no JSON object"},
  };
  for (const auto& c : cases) {
    Verifier verifier;
    verifier.line("HS256", kSecret);
    EXPECT_EQ(verifier(sign(c.header, R"({"sub":"alice"})")), c.answer)
        << c.header;
  }
}

TEST(Jwt, Spellings) {
  Verifier verifier;
  verifier.line("HS256", kSecret);
  // A payload of 16 bytes: its last digit has four unused bits.
  const std::string token = issue("HS256", R"({"sub":"alice1"})");
  const std::size_t first = token.find('.');
  const std::size_t last = token.rfind('.');
  ASSERT_EQ(verifier(token), "alice1");
  const std::vector<std::string> others = {
      "",
      ".",
      "..",
      "...",
      token.substr(0, last),
      token.substr(0, last + 1),
      token.substr(1),
      token.substr(0, token.size() - 1),
      token + ".",
      "." + token,
      token + "." + token,
      token + "=",
      token + "==",
      token + " ",
      " " + token,
      token + "\n",
      token + '\0',
      token + "A",
      token + "AAAA",
      token.substr(0, first) + "=" + token.substr(first),
      token.substr(0, last) + "==" + token.substr(last),
      token.substr(0, first) + "\r\n" + token.substr(first),
      token.substr(0, first) + ".." + token.substr(first + 1),
      token.substr(0, first) + "%2E" + token.substr(first + 1),
  };
  for (const std::string& other : others) {
    EXPECT_EQ(verifier(other).substr(0, 1), "!") << other;
  }
  // The last digit of the signature holds two bits that mean nothing.
  const std::string digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/";
  for (const char c : digits) {
    if (c == token.back()) continue;
    std::string other = token;
    other.back() = c;
    EXPECT_EQ(verifier(other).substr(0, 1), "!") << other;
  }
  std::string standard = token;
  for (char& c : standard) {
    c = c == '-' ? '+' : c == '_' ? '/' : c;
  }
  EXPECT_EQ(standard == token, verifier(standard) == "alice1");
}

// A digit that no byte needs, behind parts of whole groups of digits.
TEST(Jwt, DigitTooMany) {
  Verifier verifier;
  verifier.line("HS384", kSecret);
  const std::string token = issue("HS384", R"({"sub":"alice22"})");
  const std::size_t dot = token.rfind('.');
  ASSERT_EQ((token.size() - dot - 1) % 4, 0u);
  EXPECT_EQ(verifier(token), "alice22");
  EXPECT_EQ(verifier(token + "A"), "!has a signature that is not base64url");
  const std::string input = b64(R"({"alg":"HS384"})") + "A." + b64("{}");
  EXPECT_EQ(verifier(input + "." + b64(hmac("HS384", kSecret, input))),
            "!has a header that is not base64url");
}

TEST(Jwt, Sizes) {
  Verifier verifier;
  verifier.line("HS256", kSecret);
  const auto padded = [](std::size_t n) {
    return issue("HS256",
                 R"({"sub":"alice","x":")" + std::string(n, 'x') + "\"}");
  };
  const std::size_t overhead = padded(0).size();
  const std::size_t room = (RL_JWT_MAX_TOKEN_LEN - overhead) / 4 * 3;
  EXPECT_LE(padded(room).size(), std::size_t{RL_JWT_MAX_TOKEN_LEN});
  EXPECT_EQ(verifier(padded(room)), "alice");
  EXPECT_EQ(verifier(padded(room + 4)), "!is too long");
  EXPECT_EQ(verifier(std::string(1 << 20, 'A')), "!is too long");
  EXPECT_EQ(verifier(std::string(RL_JWT_MAX_TOKEN_LEN, '.')),
            "!is not of three parts");
  EXPECT_EQ(verifier(std::string(RL_JWT_MAX_TOKEN_LEN, 'A')),
            "!is not of three parts");
  EXPECT_EQ(verifier(std::string(RL_JWT_MAX_TOKEN_LEN - 2, 'A') + ".."),
            "!has a header that is no JSON object");
  EXPECT_EQ(verifier(".." + std::string(RL_JWT_MAX_TOKEN_LEN - 2, 'A')),
            "!has a header that is no JSON object");
}

TEST(Jwt, Nesting) {
  Verifier verifier;
  verifier.line("HS256", kSecret);
  const auto nested = [](std::size_t depth, const char* open,
                         const char* close) {
    std::string text = R"({"sub":"alice","x":)";
    for (std::size_t i = 0; i < depth; i++) {
      text += open;
    }
    text += "1";
    for (std::size_t i = 0; i < depth; i++) {
      text += close;
    }
    return text + "}";
  };
  EXPECT_EQ(verifier(issue("HS256", nested(1000, "[", "]"))), "alice");
  EXPECT_EQ(verifier(issue("HS256", nested(5000, "[", "]"))),
            "!has a payload that is no JSON object");
  EXPECT_EQ(verifier(issue("HS256", nested(1990, "{\"a\":", "}"))), "alice");
  EXPECT_EQ(verifier(sign(nested(5000, "[", "]"), "{}")),
            "!has a header that is no JSON object");
}

TEST(Jwt, RandomBytes) {
  std::mt19937 random(1);
  Verifier verifier;
  verifier.line("HS256", kSecret).line("ES256", p256().pem());
  const std::string token = issue("HS256", R"({"sub":"alice"})");
  for (int i = 0; i < rounds(20000); i++) {
    std::string other = token;
    const int changes = 1 + static_cast<int>(random() % 3);
    for (int j = 0; j < changes; j++) {
      const std::size_t at = random() % other.size();
      switch (random() % 3) {
        case 0:
          other[at] = static_cast<char>(random());
          break;
        case 1:
          other.erase(at, random() % 4);
          break;
        default:
          other.insert(at, random_text(&random, "Aa0.=-_", 4));
          break;
      }
    }
    if (other == token) continue;
    ASSERT_EQ(verifier(other).substr(0, 1), "!") << other;
  }
}

}  // namespace
