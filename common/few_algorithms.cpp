#include "common/few_algorithms.hpp"

#include "common/error.hpp"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace rc {

namespace {

struct Few {
    int operation;
    std::vector<std::string_view> names;    // their first ones
    std::vector<OSSL_ALGORITHM> algorithms; // with an empty one at the end
};

// A provider that passes on some of what OpenSSL's own has. It lasts as long as the process.
struct Provider {
    OSSL_PROVIDER* whole = nullptr;
    std::array<Few, 9> few{{
        {OSSL_OP_CIPHER, {"AES-128-GCM", "ChaCha20-Poly1305"}, {}},
        {OSSL_OP_DIGEST, {"SHA2-256"}, {}},
        {OSSL_OP_MAC, {"HMAC"}, {}},
        {OSSL_OP_KDF, {"TLS13-KDF"}, {}},
        {OSSL_OP_RAND, {"HASH-DRBG", "SEED-SRC"}, {}},
        {OSSL_OP_KEYMGMT, {"X25519", "EC"}, {}},
        {OSSL_OP_KEYEXCH, {"X25519", "ECDH"}, {}},
        {OSSL_OP_SIGNATURE, {"ECDSA"}, {}},
        {OSSL_OP_DECODER, {"EC"}, {}},
    }};
};

Provider& provider() {
    static Provider one;
    return one;
}

void require(bool success) {
    if (!success) throw Error(ErrorCode::internal, "OpenSSL could not set up its algorithms");
}

std::string_view first_name(const OSSL_ALGORITHM& algorithm) {
    const std::string_view names = algorithm.algorithm_names;
    return names.substr(0, names.find(':'));
}

void choose(Few& few, const OSSL_ALGORITHM* from) {
    for (; from != nullptr && from->algorithm_names != nullptr; ++from)
        if (std::ranges::find(few.names, first_name(*from)) != few.names.end()) few.algorithms.push_back(*from);
    few.algorithms.emplace_back();
}

const OSSL_ALGORITHM* query(void*, int operation, int* changes) {
    *changes = 0;
    const auto found = std::ranges::find(provider().few, operation, &Few::operation);
    return found == provider().few.end() ? nullptr : found->algorithms.data();
}

// Where the groups for the key exchange go.
struct Groups {
    OSSL_CALLBACK* add;
    void* argument;
};

int add_if_chosen(const OSSL_PARAM* group, void* context) {
    const auto& [add, argument] = *static_cast<const Groups*>(context);
    const OSSL_PARAM* name = OSSL_PARAM_locate_const(group, OSSL_CAPABILITY_TLS_GROUP_NAME_INTERNAL);
    const char* text = nullptr;
    if (name == nullptr || OSSL_PARAM_get_utf8_string_ptr(name, &text) != 1) return 0;
    const bool chosen = std::string_view(text) == "X25519" || std::string_view(text) == "prime256v1";
    return chosen ? add(group, argument) : 1;
}

int capabilities(void*, const char* capability, OSSL_CALLBACK* call, void* argument) {
    Groups groups{call, argument};
    return OSSL_PROVIDER_get_capabilities(provider().whole, capability, &add_if_chosen, &groups);
}

template <class Function>
OSSL_DISPATCH entry(int id, Function* function) {
    return {id, reinterpret_cast<void (*)()>(function)};
}

int initialize(const OSSL_CORE_HANDLE*, const OSSL_DISPATCH*, const OSSL_DISPATCH** functions, void** context) {
    static const std::array table{entry(OSSL_FUNC_PROVIDER_QUERY_OPERATION, &query),
        entry(OSSL_FUNC_PROVIDER_GET_CAPABILITIES, &capabilities), OSSL_DISPATCH{}};
    *functions = table.data();
    *context = OSSL_PROVIDER_get0_provider_ctx(provider().whole);
    return 1;
}

// Random numbers without a cipher. Where some have been taken before, it stays as it is.
void take_random_from_digest(OSSL_LIB_CTX* context) { RAND_set_DRBG_type(context, "HASH-DRBG", nullptr, nullptr, "SHA2-256"); }

OSSL_PROVIDER* load() {
    // Neither algorithm names nor providers come from openssl.cnf here, and reading it would cost each command a millisecond. Old names
    // of algorithms and the texts of errors are not needed, nor does anything need to be taken apart before the process ends.
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ADD_ALL_CIPHERS |
                            OPENSSL_INIT_NO_ADD_ALL_DIGESTS | OPENSSL_INIT_NO_ATEXIT,
        nullptr);
    OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_SSL_STRINGS, nullptr);
    OSSL_LIB_CTX* apart = OSSL_LIB_CTX_new();
    require(apart != nullptr);
    take_random_from_digest(apart);
    take_random_from_digest(nullptr);
    provider().whole = OSSL_PROVIDER_load(apart, "default");
    require(provider().whole != nullptr);
    for (Few& few : provider().few) {
        int changes = 0;
        choose(few, OSSL_PROVIDER_query_operation(provider().whole, few.operation, &changes));
    }
    require(OSSL_PROVIDER_add_builtin(nullptr, "few", &initialize) == 1);
    return OSSL_PROVIDER_load(nullptr, "few");
}

} // namespace

void use_few_algorithms() {
    static OSSL_PROVIDER* const loaded = load();
    require(loaded != nullptr);
}

} // namespace rc
