// The most that two ends of one thread each can do on this machine which move bytes from a program to another over an encrypted connection:
// pipe, AES-128-GCM in records of TLS's size, TCP on loopback, AES-128-GCM, and no protocol around it.
//
//     head -c BYTES /dev/zero | bench_bare_stream BYTES >OUTPUT
//
// Ends with 0 when all of it has been written.
#include <openssl/evp.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace {

using Byte = unsigned char;

constexpr std::size_t record = 16 * 1024;
constexpr std::size_t tag = 16;
constexpr std::size_t sealed = record + tag;
constexpr std::size_t at_once = 16; // records
constexpr std::array<Byte, 16> key{};
constexpr std::array<Byte, 12> nonce{}; // what is sent is zeros: no secret

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::_Exit(1);
}

struct Free {
    void operator()(EVP_CIPHER_CTX* cipher) const { EVP_CIPHER_CTX_free(cipher); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, Free>;

// `encrypt`: 1, or 0 to decrypt.
Cipher make_cipher(int encrypt) {
    Cipher cipher(EVP_CIPHER_CTX_new());
    if (EVP_CipherInit_ex(cipher.get(), EVP_aes_128_gcm(), nullptr, key.data(), nonce.data(), encrypt) != 1) fail("AES-128-GCM");
    return cipher;
}

void seal(EVP_CIPHER_CTX* cipher, const Byte* plain, Byte* out) {
    int count = 0;
    const bool done = EVP_CipherInit_ex(cipher, nullptr, nullptr, nullptr, nonce.data(), -1) == 1 &&
                      EVP_CipherUpdate(cipher, out, &count, plain, record) == 1 &&
                      EVP_CipherFinal_ex(cipher, out + record, &count) == 1 &&
                      EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, tag, out + record) == 1;
    if (!done) fail("encrypting");
}

void open_sealed(EVP_CIPHER_CTX* cipher, Byte* in, Byte* plain) {
    int count = 0;
    const bool done = EVP_CipherInit_ex(cipher, nullptr, nullptr, nullptr, nonce.data(), -1) == 1 &&
                      EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, tag, in + record) == 1 &&
                      EVP_CipherUpdate(cipher, plain, &count, in, record) == 1 &&
                      EVP_CipherFinal_ex(cipher, plain + record, &count) == 1;
    if (!done) fail("decrypting");
}

void write_all(int fd, const Byte* bytes, std::size_t count) {
    while (count > 0) {
        const ssize_t written = ::write(fd, bytes, count);
        if (written < 0) fail("writing");
        bytes += written;
        count -= static_cast<std::size_t>(written);
    }
}

// How many of `count` bytes came before the end.
std::size_t read_whole(int fd, Byte* space, std::size_t count) {
    std::size_t done = 0;
    while (done < count) {
        const ssize_t taken = ::read(fd, space + done, count - done);
        if (taken < 0) fail("reading");
        if (taken == 0) break;
        done += static_cast<std::size_t>(taken);
    }
    return done;
}

void send_stdin(int socket) {
    const Cipher cipher = make_cipher(1);
    std::vector<Byte> plain(at_once * record);
    std::vector<Byte> out(at_once * sealed);
    ::fcntl(STDIN_FILENO, F_SETPIPE_SZ, 1 << 20);
    while (const std::size_t count = read_whole(STDIN_FILENO, plain.data(), plain.size())) {
        const std::size_t records = count / record;
        for (std::size_t i = 0; i < records; ++i) seal(cipher.get(), plain.data() + i * record, out.data() + i * sealed);
        write_all(socket, out.data(), records * sealed);
    }
}

void receive_to_stdout(int socket, std::size_t records) {
    const Cipher cipher = make_cipher(0);
    std::vector<Byte> in(at_once * sealed);
    std::vector<Byte> plain(at_once * record);
    while (records > 0) {
        const std::size_t now = std::min(records, at_once);
        if (read_whole(socket, in.data(), now * sealed) != now * sealed) fail("the stream ends too early");
        for (std::size_t i = 0; i < now; ++i) open_sealed(cipher.get(), in.data() + i * sealed, plain.data() + i * record);
        write_all(STDOUT_FILENO, plain.data(), now * record);
        records -= now;
    }
}

// Both ends of a connection on loopback.
std::array<int, 2> connected_pair() {
    const int listening = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* const where = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listening, where, length) != 0 || ::listen(listening, 1) != 0 || ::getsockname(listening, where, &length) != 0)
        fail("listening");
    const int near = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(near, where, length) != 0) fail("connecting");
    return {near, ::accept(listening, nullptr, nullptr)};
}

} // namespace

int main(int argc, char** argv) {
    const std::size_t bytes = argc == 2 ? std::strtoull(argv[1], nullptr, 10) : 0;
    if (bytes == 0 || bytes % record != 0) {
        std::fputs("usage: bench_bare_stream BYTES, a multiple of 16384\n", stderr);
        return 2;
    }
    const auto [near, far] = connected_pair();
    const pid_t sender = ::fork();
    if (sender < 0) fail("fork");
    if (sender == 0) {
        send_stdin(near);
        std::_Exit(0);
    }
    ::close(near);
    receive_to_stdout(far, bytes / record);
    int status = 0;
    return ::waitpid(sender, &status, 0) == sender && status == 0 ? 0 : 1;
}
