// Key files: PEM, secrets, JWK Sets, and which key a token is tried with.

#include <gtest/gtest.h>

#include <string>

#include "jwt_util.h"

namespace {

const std::string kRsa =
    "must hold a key for RS256: an RSA public key of 2048 to 8192 bits, as "
    "PEM or in a JWKS";
const std::string kEs256 =
    "must hold a key for ES256: a public key of P-256, as PEM or in a JWKS";
const std::string kEd =
    "must hold a key for EdDSA: a public key of Ed25519, as PEM or in a JWKS";
const std::string kHs =
    "must hold a secret of at least 16 bytes, as it is or in a JWKS";

std::string jwks(const std::string& keys) {
  return "{\"keys\":[" + keys + "]}";
}

std::string oct(const std::string& secret, const std::string& more = "") {
  return R"({"kty":"oct","k":")" + b64(secret) + "\"" + more + "}";
}

TEST(JwtKeys, Algorithms) {
  rl_jwt_algorithm_e out = RL_EDDSA;
  for (const char* text : {"none", "", "hs256", "HS256 ", "HS", "ES512",
                           "PS384", "Ed25519", "EdDSA\n"}) {
    EXPECT_STREQ(rl_parse_jwt_algorithm(str(text), &out),
                 "must be \"HS256\", \"HS384\", \"HS512\", \"RS256\", "
                 "\"RS384\", \"RS512\", \"PS256\", \"ES256\", \"ES384\" or "
                 "\"EdDSA\"")
        << text;
  }
  EXPECT_EQ(out, RL_EDDSA);
}

TEST(JwtKeys, Secrets) {
  EXPECT_EQ(load("HS256", std::string(15, 'x')), kHs);
  EXPECT_EQ(load("HS256", std::string(16, 'x')), "");
  EXPECT_EQ(load("HS256", std::string(15, 'x') + "\n"), kHs);
  EXPECT_EQ(load("HS512", std::string(16, 'x')), "");
  EXPECT_EQ(load("HS256", std::string(100000, 'x')), "");
  EXPECT_EQ(load("HS256", ""), kHs);
  EXPECT_EQ(load("HS256", "\n"), kHs);
  EXPECT_EQ(load("HS256", "{" + std::string(20, '\1')), "");
  EXPECT_EQ(load("HS256", rsa().pem()),
            "must hold a secret, not a PEM key: nobody may sign with a public "
            "key");
  EXPECT_EQ(load("HS256", "\n\n" + rsa().private_pem()),
            "must hold a secret, not a PEM key: nobody may sign with a public "
            "key");
}

// A text loses the newline that ends its file; bytes do not.
TEST(JwtKeys, NewlineBehindASecret) {
  const std::string header = R"({"alg":"HS256"})";
  const std::string payload = R"({"sub":"alice"})";
  const std::string text = "sixteen bytes and more";
  const std::string bytes = text + '\1';
  const auto verifies = [&](const std::string& file,
                            const std::string& secret) {
    Verifier verifier;
    verifier.line("HS256", file);
    return verifier(sign(header, payload, "HS256", secret)) == "alice";
  };
  EXPECT_TRUE(verifies(text, text));
  EXPECT_TRUE(verifies(text + "\n", text));
  EXPECT_TRUE(verifies(text + "\r\n", text));
  EXPECT_FALSE(verifies(text + "\n", text + "\n"));
  EXPECT_TRUE(verifies(text + "\n\n", text + "\n"));
  EXPECT_TRUE(verifies(" " + text + " \n", " " + text + " "));
  EXPECT_TRUE(verifies(bytes + "\n", bytes + "\n"));
  EXPECT_FALSE(verifies(bytes + "\n", bytes));
}

TEST(JwtKeys, Pem) {
  EXPECT_EQ(load("RS256", rsa().pem()), "");
  EXPECT_EQ(load("PS256", rsa().pem()), "");
  EXPECT_EQ(load("RS256", "from Bob:\n" + rsa().pem() + "\nthe end\n"), "");
  EXPECT_EQ(load("RS256", rsa().private_pem()), kRsa);
  EXPECT_EQ(load("RS256", rsa().pem() + rsa().private_pem()), kRsa);
  EXPECT_EQ(load("RS256", p256().pem()), kRsa);
  EXPECT_EQ(load("RS256", rsa().pem() + p256().pem()), kRsa);
  EXPECT_EQ(load("RS256", ""), kRsa);
  EXPECT_EQ(load("RS256", kSecret), kRsa);
  EXPECT_EQ(load("RS256", rsa().pem().substr(0, 200)), kRsa);
  EXPECT_EQ(load("ES256", p256().pem()), "");
  EXPECT_EQ(load("ES256", p384().pem()), kEs256);
  EXPECT_EQ(load("ES256", rsa().pem()), kEs256);
  EXPECT_EQ(load("ES256", ed25519().pem()), kEs256);
  EXPECT_EQ(load("EdDSA", ed25519().pem()), "");
  EXPECT_EQ(load("EdDSA", p256().pem()), kEd);
  std::string encrypted = rsa().pem();
  encrypted.insert(encrypted.find('\n') + 1,
                   "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
                   "00112233445566778899AABBCCDDEEFF\n\n");
  EXPECT_EQ(load("RS256", encrypted), kRsa);
  std::string many;
  for (int i = 0; i < 65; i++) {
    many += ed25519().pem();
  }
  EXPECT_EQ(load("EdDSA", many), "must hold at most 64 keys");
  EXPECT_EQ(load("EdDSA", many.substr(ed25519().pem().size())), "");
}

TEST(JwtKeys, Sizes) {
  const Pair weak(EVP_RSA_gen(1024));
  EXPECT_EQ(load("RS256", weak.pem()), kRsa);
  EXPECT_EQ(load("RS256", jwks(weak.jwk())), kRsa);
  const Pair odd(EVP_RSA_gen(2047));
  EXPECT_EQ(load("RS256", odd.pem()), kRsa);
  // An exponent of 1 verifies what anybody can make.
  std::string one = rsa().jwk();
  one.replace(one.find("AQAB"), 4, "AQ");
  EXPECT_EQ(load("RS256", jwks(one)), kRsa);
  std::string even = rsa().jwk();
  even.replace(even.find("AQAB"), 4, "Ag");
  EXPECT_EQ(load("RS256", jwks(even)), kRsa);
}

// A key that is restricted to PSS with another hash cannot verify PS256.
TEST(JwtKeys, RestrictedPss) {
  const auto make = [](const EVP_MD* digest) {
    EVP_PKEY* pkey = nullptr;
    EVP_PKEY_CTX* const context =
        EVP_PKEY_CTX_new_from_name(nullptr, "RSA-PSS", nullptr);
    EVP_PKEY_keygen_init(context);
    EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048);
    EVP_PKEY_CTX_set_rsa_pss_keygen_md(context, digest);
    EVP_PKEY_CTX_set_rsa_pss_keygen_mgf1_md(context, digest);
    EVP_PKEY_CTX_set_rsa_pss_keygen_saltlen(context, EVP_MD_get_size(digest));
    EVP_PKEY_generate(context, &pkey);
    EVP_PKEY_CTX_free(context);
    return pkey;
  };
  const Pair good(make(EVP_sha256()));
  const Pair other(make(EVP_sha512()));
  EXPECT_EQ(load("PS256", good.pem()), "");
  EXPECT_NE(load("PS256", other.pem()), "");
  EXPECT_EQ(load("RS256", good.pem()), kRsa);
  Verifier verifier;
  verifier.line("PS256", good.pem());
  EXPECT_EQ(verifier(sign(R"({"alg":"PS256"})", R"({"sub":"alice"})", "PS256",
                          good)),
            "alice");
}

TEST(JwtKeys, PssSaltIsAsLongAsTheHash) {
  Verifier verifier;
  verifier.line("PS256", rsa().pem());
  const std::string input =
      b64(R"({"alg":"PS256"})") + "." + b64(R"({"sub":"alice"})");
  for (const int salt : {0, 20, 31, 32, 33}) {
    EVP_MD_CTX* const context = EVP_MD_CTX_new();
    EVP_PKEY_CTX* options = nullptr;
    EVP_DigestSignInit(context, &options, EVP_sha256(), nullptr, rsa().get());
    EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(options, salt);
    std::string signature(256, 0);
    std::size_t len = signature.size();
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()),
                   &len, reinterpret_cast<const unsigned char*>(input.data()),
                   input.size());
    EVP_MD_CTX_free(context);
    EXPECT_EQ(verifier(input + "." + b64(signature)),
              salt == 32 ? "alice" : "!has a wrong signature")
        << salt;
  }
}

TEST(JwtKeys, JwksOfOneKey) {
  EXPECT_EQ(load("RS256", jwks(rsa().jwk())), "");
  EXPECT_EQ(load("PS256", jwks(rsa().jwk(R"(,"alg":"PS256","use":"sig")"))),
            "");
  EXPECT_EQ(load("ES256", jwks(p256().jwk(R"(,"key_ops":["verify"])"))), "");
  EXPECT_EQ(load("ES384", " \n" + jwks(p384().jwk())), "");
  EXPECT_EQ(load("EdDSA", jwks(ed25519().jwk(R"(,"x5c":7,"kid":"")"))), "");
  EXPECT_EQ(load("HS256", jwks(oct(kSecret))), "");
  EXPECT_EQ(load("HS256", jwks(oct("too short")) + "\n"), kHs);
}

// What is for something else is passed over; nothing left is an error.
TEST(JwtKeys, JwksPassesOver) {
  EXPECT_EQ(load("RS256", jwks("")), kRsa);
  EXPECT_EQ(load("RS256", jwks(p256().jwk())), kRsa);
  EXPECT_EQ(load("RS256", jwks(oct(kSecret))), kRsa);
  EXPECT_EQ(load("HS256", jwks(rsa().jwk())), kHs);
  EXPECT_EQ(load("RS256", jwks(rsa().jwk(R"(,"alg":"RS384")"))), kRsa);
  EXPECT_EQ(load("RS256", jwks(rsa().jwk(R"(,"alg":"RSA-OAEP")"))), kRsa);
  EXPECT_EQ(load("RS256", jwks(rsa().jwk(R"(,"use":"enc")"))), kRsa);
  EXPECT_EQ(load("RS256", jwks(rsa().jwk(R"(,"key_ops":["encrypt"])"))), kRsa);
  EXPECT_EQ(load("RS256", jwks(rsa().jwk(R"(,"key_ops":"verify")"))), kRsa);
  EXPECT_EQ(load("ES256", jwks(p384().jwk())), kEs256);
  EXPECT_EQ(load("ES256", jwks(p384().jwk() + "," + p256().jwk())), "");
  EXPECT_EQ(load("EdDSA", jwks(R"({"kty":"OKP","crv":"Ed448","x":"AA",)"
                               R"("alg":"EdDSA"})")),
            kEd);
  EXPECT_EQ(load("EdDSA", jwks(R"({"kty":"OKP","crv":"X25519","x":"AA"})")),
            kEd);
  EXPECT_EQ(load("RS256", jwks(p256().jwk() + "," + oct(kSecret) + "," +
                               rsa().jwk(R"(,"use":"enc")") + "," +
                               R"({"kty":"quantum"},)" + rsa().jwk())),
            "");
}

TEST(JwtKeys, JwksContradictions) {
  const std::string contradiction =
      "must not hold a key whose \"alg\" contradicts its \"kty\", \"crv\" or "
      "\"use\"";
  EXPECT_EQ(load("RS256", jwks(p256().jwk(R"(,"alg":"RS256")"))),
            contradiction);
  EXPECT_EQ(load("RS256", jwks(oct(kSecret, R"(,"alg":"RS256")"))),
            contradiction);
  EXPECT_EQ(load("HS256", jwks(rsa().jwk(R"(,"alg":"HS256")"))),
            contradiction);
  EXPECT_EQ(load("ES256", jwks(p384().jwk(R"(,"alg":"ES256")"))),
            contradiction);
  EXPECT_EQ(load("RS256", jwks(rsa().jwk(R"(,"alg":"RS256","use":"enc")"))),
            contradiction);
  // Also in a key that is for another line.
  EXPECT_EQ(
      load("RS256", jwks(rsa().jwk() + "," + p384().jwk(R"(,"alg":"ES256")"))),
      contradiction);
}

TEST(JwtKeys, JwksMalformed) {
  const std::string json = "must be valid JSON without duplicate members";
  const std::string set =
      "must be a JWKS: an object with an array \"keys\" of objects";
  const std::string member =
      "must have strings as \"kty\", \"crv\", \"alg\", \"use\" and \"kid\" of "
      "a key";
  EXPECT_EQ(load("RS256", "{"), json);
  EXPECT_EQ(load("RS256", R"({"keys":[],"keys":[]})"), json);
  EXPECT_EQ(load("RS256", jwks(rsa().jwk(R"(,"e":"Ag")"))), json);
  EXPECT_EQ(load("HS256", "{\"keys\":" + std::string(30, '[')), json);
  EXPECT_EQ(load("RS256", "{}"), set);
  EXPECT_EQ(load("RS256", rsa().jwk()), set);
  EXPECT_EQ(load("RS256", R"({"keys":{}})"), set);
  EXPECT_EQ(load("RS256", jwks("1")), set);
  EXPECT_EQ(load("RS256", jwks("{}")), member);
  EXPECT_EQ(load("RS256", jwks(R"({"kty":1})")), member);
  EXPECT_EQ(load("RS256", jwks(rsa().jwk(R"(,"kid":1)"))), member);
  EXPECT_EQ(load("RS256", jwks(rsa().jwk(R"(,"alg":1)"))), member);
  EXPECT_EQ(load("RS256", jwks(rsa().jwk(R"(,"use":1)"))), member);
  for (const char* jwk :
       {R"({"kty":"RSA"})", R"({"kty":"RSA","n":"AQ"})",
        R"({"kty":"RSA","n":1,"e":"AQAB"})", R"({"kty":"RSA","n":"","e":""})",
        R"({"kty":"RSA","n":"A","e":"AQAB"})",
        R"({"kty":"RSA","n":"AQ==","e":"AQAB"})"}) {
    EXPECT_EQ(load("RS256", jwks(jwk)), kRsa) << jwk;
  }
  EXPECT_EQ(load("RS256", jwks(R"({"kty":"RSA","e":"AQAB","n":")" +
                               std::string(3000, 'A') + "\"}")),
            kRsa);
  const std::string x = b64(std::string(32, '\1'));
  for (const std::string& y :
       {x, b64(std::string(31, '\1')), b64(std::string(33, '\1')),
        b64(std::string(32, '\0')), b64(std::string(64, '\1'))}) {
    EXPECT_EQ(load("ES256", jwks(R"({"kty":"EC","crv":"P-256","x":")" + x +
                                 R"(","y":")" + y + "\"}")),
              kEs256);
  }
  for (const std::size_t len : {0, 31, 33, 64}) {
    EXPECT_EQ(load("EdDSA", jwks(R"({"kty":"OKP","crv":"Ed25519","x":")" +
                                 b64(std::string(len, '\1')) + "\"}")),
              kEd);
  }
}

TEST(JwtKeys, JwksHoldsNoPrivateKey) {
  const std::string refused =
      "must hold public keys only: nginx has no use for a private one";
  EXPECT_EQ(load("RS256", jwks(rsa().jwk(R"(,"d":"AQ")"))), refused);
  EXPECT_EQ(load("ES256", jwks(p256().jwk(R"(,"d":"AQ")"))), refused);
  EXPECT_EQ(load("EdDSA", jwks(ed25519().jwk(R"(,"d":null)"))), refused);
  EXPECT_EQ(load("ES256", jwks(p256().jwk() + "," + rsa().jwk(R"(,"d":"A")"))),
            refused);
}

TEST(JwtKeys, JwksHoldsABoundedNumber) {
  std::string keys = ed25519().jwk();
  for (int i = 1; i < RL_JWT_MAX_KEYS; i++) {
    keys += "," + ed25519().jwk();
  }
  EXPECT_EQ(load("EdDSA", jwks(keys)), "");
  EXPECT_EQ(load("EdDSA", jwks(keys + "," + rsa().jwk())), "");
  EXPECT_EQ(load("EdDSA", jwks(keys + "," + ed25519().jwk())),
            "must hold at most 64 keys");
}

TEST(JwtKeys, Kid) {
  const Pair old_key(EVP_EC_gen("P-256"));
  const Pair new_key(EVP_EC_gen("P-256"));
  const Pair third(EVP_EC_gen("P-256"));
  Verifier verifier;
  verifier.line("ES256", jwks(old_key.jwk(R"(,"kid":"2023")") + "," +
                              new_key.jwk(R"(,"kid":"2024")") + "," +
                              third.jwk(R"(,"kid":"")")));
  const auto answer = [&](const char* kid, const Pair& pair) {
    const std::string header =
        kid == nullptr
            ? R"({"alg":"ES256"})"
            : std::string(R"({"alg":"ES256","kid":")") + kid + "\"}";
    return verifier(sign(header, R"({"sub":"alice"})", "ES256", pair));
  };
  EXPECT_EQ(answer("2023", old_key), "alice");
  EXPECT_EQ(answer("2024", new_key), "alice");
  EXPECT_EQ(answer("", third), "alice");
  EXPECT_EQ(answer("2023", new_key), "!has a wrong signature");
  EXPECT_EQ(answer("", old_key), "!has a wrong signature");
  // Without one, every key is tried.
  EXPECT_EQ(answer(nullptr, old_key), "alice");
  EXPECT_EQ(answer(nullptr, new_key), "alice");
  EXPECT_EQ(answer(nullptr, third), "alice");
  EXPECT_EQ(answer(nullptr, p256()), "!has a wrong signature");
  for (const char* kid : {"2025", "202", "20231", "../../etc/passwd",
                          "2023\\u0000", "' or 1=1", "/dev/null", "|id"}) {
    EXPECT_EQ(answer(kid, old_key), "!has an unknown \"kid\"") << kid;
  }
}

// A key that has no name suits a token that names one.
TEST(JwtKeys, KidAndKeysWithoutOne) {
  const std::string header = R"({"alg":"ES256","kid":"2024"})";
  const std::string token =
      sign(header, R"({"sub":"alice"})", "ES256", p256());
  Verifier pem;
  pem.line("ES256", p256().pem());
  EXPECT_EQ(pem(token), "alice");
  Verifier nameless;
  nameless.line("ES256", jwks(p256().jwk()));
  EXPECT_EQ(nameless(token), "alice");
  Verifier named;
  named.line("ES256", jwks(p256().jwk(R"(,"kid":"2023")")));
  EXPECT_EQ(named(token), "!has an unknown \"kid\"");
}

// Keys of one pair, as many as there are kids; "-" has none.
std::string jwks_of(const Pair& pair, const std::vector<std::string>& kids) {
  std::string keys;
  for (const std::string& kid : kids) {
    if (!keys.empty()) keys += ",";
    keys += pair.jwk(kid == "-" ? "" : R"(,"kid":")" + kid + '"');
  }
  return jwks(keys);
}

// A forged token costs no more than four checks.
TEST(JwtKeys, AtMostFourTries) {
  const std::string refused =
      "must not make more than 4 keys of an algorithm that one token is tried "
      "with: give each a \"kid\" of its own, in a JWKS";
  const auto check = [](const std::vector<std::string>& files) {
    Verifier verifier;
    std::string answer;
    for (const std::string& file : files) {
      verifier.line("ES256", file);
      answer = verifier.check();
    }
    return answer;
  };
  const std::string pem = p256().pem();
  EXPECT_EQ(check({pem, pem, pem, pem}), "");
  EXPECT_EQ(check({pem + pem + pem, pem, pem}), refused);
  EXPECT_EQ(check({pem + pem + pem + pem + pem}), refused);
  const std::string four = jwks_of(p256(), {"a", "b", "c", "d"});
  EXPECT_EQ(check({four}), "");
  EXPECT_EQ(check({jwks_of(p256(), {"a", "b", "c", "d", "e"})}),
            "kid needed");
  EXPECT_EQ(check({four, pem, pem, pem}), "kid needed");
  EXPECT_EQ(check({four, pem, pem, pem, pem}), refused);
  EXPECT_EQ(check({pem, pem, pem, pem, four}), refused);
  EXPECT_EQ(check({four, four, four, four}), "kid needed");
  EXPECT_EQ(check({four, four, four, four, four}), refused);
  EXPECT_EQ(check({jwks_of(p256(), {"", "", "", "", "-"})}), refused);
  // Keys for other algorithms are not tried.
  Verifier mixed;
  mixed.line("ES256", four).line("HS256", kSecret);
  EXPECT_EQ(mixed.check(), "");
  mixed.line("EdDSA", jwks_of(ed25519(), {"-", "-", "-", "-"}));
  EXPECT_EQ(mixed.check(), "");
}

// Beyond four keys a token without "kid" is tried with those that have none.
TEST(JwtKeys, KidIsNeededAmongMany) {
  const Pair other(EVP_EC_gen("P-256"));
  const std::string payload = R"({"sub":"alice"})";
  const std::string bare = sign(R"({"alg":"ES256"})", payload, "ES256", p256());
  const std::string named =
      sign(R"({"alg":"ES256","kid":"e"})", payload, "ES256", p256());
  Verifier few;
  few.line("ES256", jwks_of(p256(), {"a", "b", "c", "e"}));
  EXPECT_EQ(few(bare), "alice");
  EXPECT_EQ(few(named), "alice");
  Verifier many;
  many.line("ES256", jwks_of(p256(), {"a", "b", "c", "d", "e"}));
  EXPECT_EQ(many(bare), "!has no \"kid\"");
  EXPECT_EQ(many(named), "alice");
  many.line("ES256", other.pem());
  EXPECT_EQ(many(sign(R"({"alg":"ES256"})", payload, "ES256", other)),
            "alice");
  many.line("ES256", p256().pem());
  many.set_id = 2;
  EXPECT_EQ(many(bare), "alice");
}

TEST(JwtKeys, LinesAddUp) {
  const Pair old_key(EVP_EC_gen("P-256"));
  Verifier verifier;
  verifier.line("ES256", old_key.pem())
      .line("ES256", p256().pem())
      .line("RS256", jwks(rsa().jwk()))
      .line("HS256", kSecret)
      .line("HS256", "another secret, older");
  const std::string payload = R"({"sub":"alice"})";
  EXPECT_EQ(verifier(issue("ES256", payload)), "alice");
  EXPECT_EQ(verifier(issue("RS256", payload)), "alice");
  EXPECT_EQ(verifier(issue("HS256", payload)), "alice");
  EXPECT_EQ(verifier(sign(R"({"alg":"ES256"})", payload, "ES256", old_key)),
            "alice");
  EXPECT_EQ(verifier(sign(R"({"alg":"HS256"})", payload, "HS256",
                          "another secret, older")),
            "alice");
  EXPECT_EQ(verifier(issue("ES384", payload)),
            "!has another algorithm than is configured");
}

// Of the lines that verify a token the most patient one counts.
TEST(JwtKeys, LeewayOfLines) {
  const std::string token =
      issue("HS256", R"({"sub":"alice","exp":1699999990})");
  Verifier verifier;
  verifier.line("HS256", kSecret, 5000)
      .line("HS256", "another secret, older", 60000)
      .line("HS256", kSecret, 20000)
      .line("HS256", kSecret);
  EXPECT_EQ(verifier(token), "alice");
  verifier.now.wall_ms += 10000;
  EXPECT_EQ(verifier(token), "!has expired");
}

}  // namespace
