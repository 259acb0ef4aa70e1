#include "common/tls_stream.hpp"

#include "common/async.hpp"
#include "common/error.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/error_category.hpp>
#include <boost/system/system_error.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>

#include <string>
#include <utility>

namespace rc {

namespace asio = boost::asio;

namespace {

constexpr std::size_t arriving = 33 * 1024;      // bytes taken from the socket at once: two full records
constexpr std::size_t longest_turn = 256 * 1024; // bytes read before others have theirs
constexpr std::size_t record = 16 * 1024;        // most bytes in one (RFC 8446, section 5.2)
constexpr std::size_t around_record = 22;        // header, type, tag

// OpenSSL flushes after a handshake message; there is nothing to do for it.
long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

// OpenSSL's errors. A client does without its texts: to load them takes a tenth of a short command's time.
class TlsErrors : public boost::system::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "tls"; }
    [[nodiscard]] std::string message(int code) const override {
        switch (ERR_GET_REASON(static_cast<unsigned long>(code))) {
        case SSL_R_WRONG_VERSION_NUMBER:
        case SSL_R_PACKET_LENGTH_TOO_LONG:
        case SSL_R_HTTP_REQUEST: return "what it says is not TLS";
        case SSL_R_UNSUPPORTED_PROTOCOL:
        case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION: return "it speaks another version of TLS than 1.3";
        case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC: return "something on the way has changed what it says";
        default: return text_of(static_cast<unsigned long>(code));
        }
    }

private:
    static std::string text_of(unsigned long code) {
        const char* text = ERR_reason_error_string(code);
        return text != nullptr ? text : "TLS fails for reason " + std::to_string(ERR_GET_REASON(code)) + " of openssl/sslerr.h";
    }
};

int create(BIO* bio) {
    BIO_set_init(bio, 1);
    return 1;
}

} // namespace

void TlsStream::Free::operator()(SSL* ssl) const { SSL_free(ssl); }

int TlsStream::take(BIO* bio, char* out, int size) {
    auto& wire = *static_cast<Wire*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const std::size_t count =
        wire.error ? 0 : wire.socket.read_some(asio::buffer(out, static_cast<std::size_t>(size)), wire.error);
    if (wire.error) { // arrival() looks at it
        BIO_set_retry_read(bio);
        return -1;
    }
    if (count < static_cast<std::size_t>(size)) wire.error = asio::error::would_block; // that was all there is
    return static_cast<int>(count);
}

int TlsStream::put(BIO* bio, const char* bytes, int size) {
    static_cast<Wire*>(BIO_get_data(bio))->to_send.append(bytes, static_cast<std::size_t>(size));
    return size;
}

const BIO_METHOD* TlsStream::wire_method() {
    static const BIO_METHOD* const method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "memory of a connection");
        if (made == nullptr) throw Error(ErrorCode::internal, "OpenSSL could not make a kind of BIO");
        BIO_meth_set_create(made, &create);
        BIO_meth_set_read(made, &take);
        BIO_meth_set_write(made, &put);
        BIO_meth_set_ctrl(made, &control);
        return made;
    }();
    return method;
}

TlsStream::TlsStream(asio::ip::tcp::socket socket, asio::ssl::context& tls, TlsRole role)
    : wire_(new Wire{std::move(socket), {}, {}}), ssl_(SSL_new(tls.native_handle())) {
    BIO* bio = BIO_new(wire_method());
    if (!ssl_ || bio == nullptr) {
        BIO_free(bio);
        throw Error(ErrorCode::internal, "OpenSSL could not make a connection");
    }
    BIO_set_data(bio, wire_.get());
    SSL_set_bio(ssl_.get(), bio, bio); // owns it
    if (role == TlsRole::server) SSL_set_accept_state(ssl_.get());
    else SSL_set_connect_state(ssl_.get());
    // Before each record OpenSSL moves all that has arrived to the front of its buffer: with more than two records in it, that takes longer
    // than the calls that it saves.
    SSL_set_read_ahead(ssl_.get(), 1);
    SSL_set_default_read_buffer_len(ssl_.get(), arriving);
    wire_->socket.non_blocking(true);
}

asio::awaitable<void> TlsStream::handshake() {
    for (;;) {
        ERR_clear_error();
        const int result = SSL_do_handshake(ssl_.get());
        const int reason = SSL_get_error(ssl_.get(), result);
        if (result == 1) co_return; // what it has to say last goes with what the client says first
        co_await flush();           // be it an alert
        if (reason != SSL_ERROR_WANT_READ) fail(reason);
        co_await arrival();
    }
}

asio::awaitable<std::size_t> TlsStream::read_some(std::span<std::byte> space) {
    for (;;) {
        const std::size_t count = decrypt(space);
        turn_ += count;
        if (turn_ > longest_turn) { // a peer that always has more must not keep this thread from the others
            turn_ = 0;
            co_await asio::post(wire_->socket.get_executor(), asio::use_awaitable);
        }
        if (count > 0) co_return count;
        co_await arrival();
    }
}

asio::awaitable<bool> TlsStream::readable() {
    if (wire_->error != asio::error::would_block || SSL_has_pending(ssl_.get()) == 1) co_return true;
    const auto [error] = co_await wire_->socket.async_wait(asio::ip::tcp::socket::wait_read, no_throw);
    if (error == asio::error::operation_aborted) co_return false;
    wire_->error = {};
    turn_ = 0;
    co_return true;
}

// All that has arrived, record by record. 0: not a whole record has.
std::size_t TlsStream::decrypt(std::span<std::byte> space) {
    std::size_t done = 0;
    while (done < space.size()) {
        ERR_clear_error();
        std::size_t count = 0;
        const int result = SSL_read_ex(ssl_.get(), space.data() + done, space.size() - done, &count);
        done += count;
        if (result == 1) continue;
        const int reason = SSL_get_error(ssl_.get(), result);
        if (reason == SSL_ERROR_WANT_READ || done > 0) break; // what is wrong will be so the next time
        fail(reason);
    }
    return done;
}

// OpenSSL has taken all that was there.
asio::awaitable<void> TlsStream::arrival() {
    const boost::system::error_code error = std::exchange(wire_->error, {});
    if (error && error != asio::error::would_block) throw boost::system::system_error(error);
    turn_ = 0;
    co_await wire_->socket.async_wait(asio::ip::tcp::socket::wait_read, asio::use_awaitable);
}

void TlsStream::put(std::string_view bytes) {
    ERR_clear_error();
    std::size_t written = 0;
    wire_->to_send.reserve(wire_->to_send.size() + bytes.size() + (bytes.size() / record + 1) * around_record);
    const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written);
    if (result != 1) fail(SSL_get_error(ssl_.get(), result));
}

asio::awaitable<void> TlsStream::flush() {
    const std::string records = std::exchange(wire_->to_send, {}); // reading may have something to say meanwhile
    if (records.empty()) co_return;
    // All that is left at once: Asio's own condition makes calls of at most 64 KiB.
    const auto all = [&records](const boost::system::error_code& error, std::size_t) { return error ? 0 : records.size(); };
    co_await asio::async_write(wire_->socket, asio::buffer(records), all, asio::use_awaitable);
}

void TlsStream::fail(int reason) {
    if (reason == SSL_ERROR_ZERO_RETURN) throw boost::system::system_error(asio::error::make_error_code(asio::error::eof));
    static const TlsErrors errors;
    throw boost::system::system_error(static_cast<int>(ERR_get_error()), errors);
}

} // namespace rc
