// The challenge: the vectors of PROTOCOL.md section 8, and every way in which a proof may be wrong.
#include "common/auth.hpp"

#include "common/bytes.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

template <class Array>
Array counting_from(unsigned first) {
    Array bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(first + i);
    return bytes;
}

const Secret secret = counting_from<Secret>(0x00);
const Salt salt = counting_from<Salt>(0xA0);
const Binding binding = counting_from<Binding>(0x40);

const std::string hello = R"({"type":"hello","versions":[1],"features":[],"key_id":"alice@laptop","user":"",)"
                          R"("nonce":"ERERERERERERERERERERERERERERERERERERERERERE="})";
const std::string challenge =
    R"({"type":"challenge","version":1,"features":[],"nonce":"IiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiI=",)"
    R"("salt":"oKGio6SlpqeoqaqrrK2urw==","boot":"00112233445566778899aabbccddeeff","uptime":1234,"size":32})";

struct AuthTest : testing::Test {
    ClientKeys keys = derive_keys(secret, salt);
    Verifier verifier{salt, keys.stored_key, keys.server_key};
    std::string transcript = make_transcript(hello, challenge, binding);
    Digest proof = client_proof(keys, transcript);
};

TEST_F(AuthTest, keys_are_those_of_the_protocol) {
    EXPECT_EQ(to_hex(keys.client_key), "29068031b4d64728d356d0b58b877b74deb8140c9320a065319085afbdc0bc64");
    EXPECT_EQ(to_hex(keys.stored_key), "26269ed7da9134ef172e16deeff01402d163945a23e3deb6202f9772fac36140");
    EXPECT_EQ(to_hex(keys.server_key), "aead96412317d5d17e3301eed875275acf7cc47548ebfc4acab8ce2e22eb37a2");
}

TEST_F(AuthTest, transcript_is_that_of_the_protocol) {
    EXPECT_EQ(hello.size(), 134U);
    EXPECT_EQ(challenge.size(), 201U);
    EXPECT_EQ(transcript.size(), 389U);
    EXPECT_EQ(to_hex(sha256(as_bytes(transcript))), "3559d8b5d99a194365cb117c8faf8a1ddedc396a78cf68a7e602be450bd70b6e");
}

TEST_F(AuthTest, proofs_are_those_of_the_protocol) {
    EXPECT_EQ(
        to_hex(server_proof(keys.server_key, transcript)), "51e8f3c02c0acbe3110e0487525496aba838743ae5d514427b68595017c235d6");
    EXPECT_EQ(to_hex(proof), "13cc3c3df79765699a38db8dab25c74fbdde88b3e65f5515c5dacdcac89bac58");
}

TEST_F(AuthTest, the_right_proof_is_accepted) { EXPECT_TRUE(verify_client_proof(verifier, transcript, proof)); }

TEST_F(AuthTest, every_flipped_bit_is_refused) {
    for (std::size_t bit = 0; bit < 8 * proof.size(); ++bit) {
        Digest wrong = proof;
        wrong[bit / 8] ^= std::byte{1} << (bit % 8);
        EXPECT_FALSE(verify_client_proof(verifier, transcript, wrong)) << "bit " << bit;
    }
}

TEST_F(AuthTest, proofs_of_another_length_are_refused) {
    std::vector<std::byte> bytes(proof.begin(), proof.end());
    bytes.resize(64);
    for (std::size_t length = 0; length <= bytes.size(); ++length) {
        EXPECT_EQ(verify_client_proof(verifier, transcript, std::span(bytes).first(length)), length == 32) << length;
    }
}

TEST_F(AuthTest, proofs_for_another_transcript_are_refused) {
    for (std::size_t i = 0; i < transcript.size(); ++i) {
        std::string other = transcript;
        other[i] = static_cast<char>(other[i] ^ 1);
        EXPECT_FALSE(verify_client_proof(verifier, other, proof)) << "byte " << i;
    }
    EXPECT_FALSE(verify_client_proof(verifier, "", proof));
    EXPECT_FALSE(verify_client_proof(verifier, transcript + '\0', proof));
}

// A man in the middle has two TLS connections, and so two bindings.
TEST_F(AuthTest, proofs_for_another_binding_are_refused) {
    for (std::size_t i = 0; i < binding.size(); ++i) {
        Binding other = binding;
        other[i] ^= std::byte{0x80};
        const std::string relayed = make_transcript(hello, challenge, other);
        EXPECT_FALSE(verify_client_proof(verifier, relayed, proof)) << "byte " << i;
        EXPECT_NE(server_proof(keys.server_key, relayed), server_proof(keys.server_key, transcript));
    }
}

TEST_F(AuthTest, proofs_of_another_key_are_refused) {
    Secret other_secret = secret;
    other_secret[31] ^= std::byte{1};
    Salt other_salt = salt;
    other_salt[0] ^= std::byte{1};
    EXPECT_FALSE(verify_client_proof(verifier, transcript, client_proof(derive_keys(other_secret, salt), transcript)));
    EXPECT_FALSE(verify_client_proof(verifier, transcript, client_proof(derive_keys(secret, other_salt), transcript)));
}

TEST_F(AuthTest, proofs_sent_back_are_refused) {
    EXPECT_FALSE(verify_client_proof(verifier, transcript, server_proof(keys.server_key, transcript)));
}

// The thief of a host's file has no client key; whatever he can compute from it must not do.
TEST_F(AuthTest, what_a_host_keeps_makes_no_proof) {
    const ClientKeys stolen{verifier.stored_key, verifier.stored_key, verifier.server_key};
    EXPECT_FALSE(verify_client_proof(verifier, transcript, client_proof(stolen, transcript)));
    EXPECT_FALSE(verify_client_proof(verifier, transcript, verifier.stored_key));
    EXPECT_FALSE(verify_client_proof(verifier, transcript, verifier.server_key));
}

TEST_F(AuthTest, parts_of_a_transcript_cannot_be_shifted) {
    const std::set<std::string> transcripts = {make_transcript("ab", "c", binding), make_transcript("a", "bc", binding),
        make_transcript("abc", "", binding), make_transcript("", "abc", binding)};
    EXPECT_EQ(transcripts.size(), 4U);
}

TEST_F(AuthTest, decoys_are_stable_for_each_id_and_host) {
    const Secret host = counting_from<Secret>(0x80);
    std::set<std::string> seen;
    for (const Secret& of_host : {host, secret}) {
        for (const std::string_view id : {"alice", "bob", "alice@laptop", "a", ""}) {
            const Verifier decoy = decoy_verifier(of_host, id);
            const Verifier again = decoy_verifier(of_host, id);
            EXPECT_EQ(decoy.salt, again.salt);
            EXPECT_EQ(decoy.stored_key, again.stored_key);
            EXPECT_EQ(decoy.server_key, again.server_key);
            EXPECT_NE(decoy.stored_key, decoy.server_key);
            EXPECT_TRUE(seen.insert(to_hex(decoy.salt)).second) << id;
            EXPECT_TRUE(seen.insert(to_hex(decoy.stored_key)).second) << id;
            EXPECT_TRUE(seen.insert(to_hex(decoy.server_key)).second) << id;
            EXPECT_FALSE(verify_client_proof(decoy, transcript, proof));
            EXPECT_FALSE(verify_client_proof(decoy, transcript, client_proof(derive_keys(secret, decoy.salt), transcript)));
        }
    }
}

TEST(Equal, compares_length_and_every_byte) {
    const Digest bytes = counting_from<Digest>(0);
    EXPECT_TRUE(equal(bytes, Digest(bytes)));
    EXPECT_TRUE(equal({}, {}));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        Digest other = bytes;
        other[i] ^= std::byte{0x80};
        EXPECT_FALSE(equal(bytes, other)) << "byte " << i;
        EXPECT_FALSE(equal(bytes, std::span(bytes).first(i))) << "length " << i;
        EXPECT_FALSE(equal(std::span(bytes).first(i), bytes)) << "length " << i;
    }
}

// RFC 4231, cases 1, 2 and 6.
TEST(Hmac, is_that_of_the_rfc) {
    struct Case {
        std::string key, message, expected;
    };
    const std::vector<Case> table = {
        {std::string(20, '\x0b'), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {"", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
    };
    for (const auto& [key, message, expected] : table)
        EXPECT_EQ(to_hex(hmac_sha256(as_bytes(key), as_bytes(message))), expected) << message;
    EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Random, differs_each_time) {
    std::set<std::string> seen;
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(seen.insert(to_hex(make_random<Nonce>())).second);
}

} // namespace
} // namespace rc
