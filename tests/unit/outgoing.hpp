// What a job has to send, put in and read in words, for tests that say in which order.
#pragma once

#include "common/bytes.hpp"
#include "common/codec.hpp"
#include "common/frame.hpp"
#include "common/job_streams.hpp"

#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rc {

using Fields = std::vector<std::string_view>; // of a header

// A message as the values of these fields, as far as it has them, and its body or that one's size:
// "data j stdout 3 abc", "ack j stdin 5 105", "ping". `header` is without `size`.
inline std::string in_words(const boost::json::object& header, std::span<const std::byte> body, const Fields& fields) {
    std::string words;
    for (const auto field : fields) {
        const auto* const value = header.if_contains(field);
        if (value == nullptr) continue;
        if (!words.empty()) words += ' ';
        words += value->is_string() ? std::string(value->as_string()) : boost::json::serialize(*value);
    }
    if (!body.empty()) words += ' ' + (body.size() <= 16 ? std::string(as_text(body)) : '(' + std::to_string(body.size()) + ')');
    return words;
}

// The messages of these bytes. Throws Error unless they are whole frames that a server or a client may send.
inline std::vector<std::string> messages_of(
    std::string_view bytes, const Fields& fields = {"type", "job", "stream", "offset", "limit"}) {
    std::vector<std::string> all;
    FrameDecoder decoder(limits::header);
    boost::json::object last;
    const FrameDecoder::CheckHeader check = [&](boost::json::object header, std::optional<std::uint64_t> size) {
        last = header;
        try {
            decode_message(header, size, Peer::server, Phase::open);
        } catch (const Error&) {
            decode_message(header, size, Peer::client, Phase::open);
        }
    };
    const std::size_t total = bytes.size();
    std::size_t whole = 0;
    while (true) {
        while (const auto frame = decoder.next(check)) {
            whole += 4 + frame->header.size() + frame->body.size();
            all.push_back(in_words(last, frame->body, fields));
        }
        if (bytes.empty()) break;
        const auto space = decoder.prepare();
        const auto piece = as_bytes(bytes).first(std::min(space.size(), bytes.size()));
        std::ranges::copy(piece, space.begin());
        decoder.commit(piece.size());
        bytes.remove_prefix(piece.size());
    }
    if (whole != total) throw Error(ErrorCode::bad_frame, "the last frame is not whole");
    return all;
}

inline std::vector<std::string> messages_of(const Outgoing& outgoing) {
    return messages_of(outgoing.frame + std::string(as_text(outgoing.body)));
}

// What is sent by it. Nothing to send is "".
inline std::string sent(const std::optional<Outgoing>& outgoing) {
    if (!outgoing) return {};
    std::string words;
    for (const auto& message : messages_of(*outgoing)) words += (words.empty() ? "" : ", ") + message;
    return words;
}

// Puts all of `text` into the stream, which must have room for it.
inline void put(SendStream& stream, std::string_view text) {
    while (!text.empty()) {
        const auto space = stream.prepare();
        ASSERT_FALSE(space.empty()) << "the window is full";
        const auto piece = text.substr(0, space.size());
        std::ranges::copy(as_bytes(piece), space.begin());
        stream.commit(piece.size());
        text.remove_prefix(piece.size());
    }
}

} // namespace rc
