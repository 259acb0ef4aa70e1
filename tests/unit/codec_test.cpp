// Every message there and back, the names on the wire, the ids, and the sizes of bodies.
#include "common/codec.hpp"

#include "common/bytes.hpp"
#include "common/described_json.hpp"
#include "common/frame.hpp"
#include "tests/unit/message_samples.hpp"
#include "tests/unit/refusal.hpp"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

using Size = std::optional<std::uint64_t>;

boost::json::object object(std::string_view text) { return boost::json::parse(text).as_object(); }

// Member by member: the structs of the wire have no comparison of their own.
template <class T>
bool same(const T& a, const T& b) {
    if constexpr (boost::describe::has_describe_members<T>::value) {
        bool all = true;
        boost::mp11::mp_for_each<detail::Members<T>>(
            [&](auto member) { all = all && same(a.*member.pointer, b.*member.pointer); });
        return all;
    } else if constexpr (detail::is_optional<T>) {
        return a.has_value() == b.has_value() && (!a || same(*a, *b));
    } else {
        return a == b;
    }
}

bool same_message(const Message& a, const Message& b) {
    return a.index() == b.index() &&
           std::visit([&](const auto& value) { return same(value, std::get<std::remove_cvref_t<decltype(value)>>(b)); }, a);
}

// The one sender and phase in which a type is legal, tried out: that they are the right ones is another test's matter.
Message decode_anywhere(const boost::json::object& header, Size size) {
    for (const Peer sender : {Peer::client, Peer::server}) {
        for (const Phase phase : {Phase::greeting, Phase::proof, Phase::open}) {
            try {
                return decode_message(header, size, sender, phase);
            } catch (const Error& error) {
                if (error.code() != ErrorCode::unexpected_message) throw;
            }
        }
    }
    throw Error(ErrorCode::unexpected_message, "nowhere");
}

std::string refused(std::string_view header, Size size = {}) {
    return refusal([&] { decode_anywhere(object(header), size); });
}

TEST(Codec, decodes_what_the_protocol_writes) {
    for (const auto& sample : message_samples()) {
        SCOPED_TRACE(sample.header);
        EXPECT_EQ(
            refusal([&] { EXPECT_TRUE(same_message(decode_anywhere(object(sample.header), sample.size), sample.message)); }), "");
    }
}

TEST(Codec, encodes_to_what_the_protocol_writes) {
    for (const auto& sample : message_samples()) {
        SCOPED_TRACE(sample.header);
        const std::string bytes = encode_message(sample.message, static_cast<std::size_t>(sample.size.value_or(0)));
        auto expected = object(sample.header);
        if (sample.size) expected["size"] = *sample.size;
        ASSERT_GE(bytes.size(), 4U);
        std::string prefix;
        append_length(prefix, static_cast<std::uint32_t>(bytes.size() - 4));
        EXPECT_EQ(bytes.substr(0, 4), prefix);
        EXPECT_EQ(object(std::string_view(bytes).substr(4)), expected);
    }
}

TEST(Codec, survives_the_frame_decoder) {
    FrameDecoder decoder(65536);
    for (const auto& sample : message_samples()) {
        SCOPED_TRACE(sample.header);
        std::string bytes = encode_message(sample.message, static_cast<std::size_t>(sample.size.value_or(0)));
        bytes.append(static_cast<std::size_t>(sample.size.value_or(0)), 'b');
        std::optional<Message> message;
        std::size_t body = 0;
        const auto check = [&](const boost::json::object& header, Size size) { message = decode_anywhere(header, size); };
        for (std::string_view rest = bytes; !rest.empty();) {
            const auto space = decoder.prepare();
            const auto piece = rest.substr(0, space.size());
            std::ranges::copy(as_bytes(piece), space.begin());
            decoder.commit(piece.size());
            rest.remove_prefix(piece.size());
            if (const auto frame = decoder.next(check)) body = frame->body.size();
        }
        ASSERT_TRUE(message);
        EXPECT_TRUE(same_message(*message, sample.message));
        EXPECT_EQ(body, sample.size.value_or(0));
    }
}

TEST(Codec, encodes_to_the_worked_example) {
    const std::string header = R"({"type":"data","job":"7f3a","stream":"stdout","offset":0,"size":3})";
    EXPECT_EQ(encode_message(Data{"7f3a", StreamName::stdout_, 0}, 3), std::string("\0\0\0\x42", 4) + header);
}

TEST(Codec, order_of_fields_is_free) {
    EXPECT_EQ(refused(R"({"offset":3,"job":"7f3a","type":"eof","stream":"stdout"})"), "");
    EXPECT_EQ(
        refused(
            R"({"stdin":1,"limits":{"stdin":5},"state":"running","stdout":3,"durable":true,"type":"attached","signals":2,"stderr":4,"job":"j"})"),
        "");
}

TEST(Codec, error_codes_are_those_of_the_protocol) {
    const std::vector<std::string_view> names = {"bad_frame", "too_large", "bad_message", "unexpected_message", "bad_offset",
        "unsupported_version", "auth_failed", "login_timeout", "busy", "penalty", "shutdown", "forbidden", "unsupported",
        "skipped", "conflict", "restarted", "outcome_unknown", "expired", "no_such_job", "no_directory", "not_found",
        "not_executable", "internal"};
    EXPECT_EQ(boost::mp11::mp_size<boost::describe::describe_enumerators<ErrorCode>>::value, names.size());
    std::set<ErrorCode> codes;
    for (const auto name : names) {
        SCOPED_TRACE(name);
        const std::string header = R"({"type":"error","code":")" + std::string(name) + R"(","message":""})";
        Message message;
        ASSERT_EQ(refusal([&] { message = decode_anywhere(object(header), {}); }), "");
        const ErrorCode code = std::get<ErrorMessage>(message).code;
        EXPECT_TRUE(codes.insert(code).second);
        EXPECT_EQ(object(encode_message(message).substr(4)), object(header));
    }
}

TEST(Codec, enumerations_have_the_names_of_the_protocol) {
    struct Case {
        std::string before, after;
        std::vector<std::string> names, others;
    };
    const std::vector<Case> table = {
        {R"({"type":"stop","job":"j","stream":")", R"("})", {"stdin", "stdout", "stderr"},
            {"stdin_", "Stdin", "", "0", "stdout "}},
        {R"({"type":"attached","job":"j","stdin":0,"signals":0,"stdout":0,"stderr":0,"durable":false,"limits":{"stdin":0},"state":")",
            R"("})", {"running", "finished"}, {"lingering", "", "Running"}},
        {R"({"type":"error","message":"","code":")", R"("})", {"busy"}, {"", "Busy", "busy_", "unknown"}},
    };
    for (const auto& [before, after, names, others] : table) {
        for (const auto& name : names) EXPECT_EQ(refused(before + name + after), "") << before << name;
        for (const auto& name : others) EXPECT_EQ(refused(before + name + after), "bad_message") << before << name;
    }
    for (const auto& sample : message_samples()) {
        const bool exec = std::holds_alternative<Exec>(sample.message);
        if (!exec && !std::holds_alternative<Exit>(sample.message)) continue;
        const std::string_view field = exec ? "mode" : "reason";
        const std::vector<std::string_view> names =
            exec ? std::vector<std::string_view>{"shell", "argv", "subsystem"}
                 : std::vector<std::string_view>{"exited", "timeout", "abandoned", "shutdown"};
        auto header = object(sample.header);
        if (exec) header["words"] = 1;
        for (const auto name : names) {
            header[field] = name;
            EXPECT_EQ(refusal([&] { decode_anywhere(header, 2); }), "") << name;
        }
        for (const auto name : {"", "Shell", "exit", "killed", "shell_"}) {
            header[field] = name;
            EXPECT_EQ(refusal([&] { decode_anywhere(header, 2); }), "bad_message") << name;
        }
    }
}

TEST(Codec, a_listed_job_is_in_one_of_the_states_of_the_protocol) {
    const auto refused_state = [](std::string_view state) {
        auto header = object(R"({"type":"listed","job":"j","durable":true,"age":0,"stdout":0,"stderr":0,"state":""})");
        header["state"] = state;
        return refusal([&] { decode_anywhere(header, 0); });
    };
    for (const auto name : {"attached", "lingering", "detached", "full", "finished", "unknown"})
        EXPECT_EQ(refused_state(name), "") << name;
    for (const auto name : {"running", "", "Full"}) EXPECT_EQ(refused_state(name), "bad_message") << name;
}

// What PROTOCOL.md's column "body, at most" says.
TEST(Codec, body_sizes_are_limited_by_message) {
    struct Case {
        std::string_view type;
        std::uint64_t least, most;
    };
    const std::vector<Case> table = {
        {"challenge", 0, 32}, {"auth", 0, 32}, {"exec", 2, 262144}, {"data", 1, 65536}, {"exit", 0, 262144}, {"listed", 0, 4096}};
    for (const auto& sample : message_samples()) {
        SCOPED_TRACE(sample.header);
        const auto header = object(sample.header);
        const auto size_refused = [&](Size size) { return refusal([&] { decode_anywhere(header, size); }); };
        const auto row = std::ranges::find(table, std::string_view(header.at("type").as_string()), &Case::type);
        if (row == table.end()) {
            EXPECT_EQ(size_refused({}), "");
            for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}})
                EXPECT_EQ(size_refused(size), "bad_message");
            continue;
        }
        EXPECT_EQ(size_refused({}), "bad_message");
        EXPECT_EQ(size_refused(row->least), "");
        EXPECT_EQ(size_refused(row->most), "");
        EXPECT_EQ(size_refused(row->most + 1), "too_large");
        EXPECT_EQ(size_refused(~std::uint64_t{0}), "too_large");
    }
}

TEST(Codec, data_has_at_least_one_byte) {
    EXPECT_EQ(refused(R"({"type":"data","job":"j","stream":"stdin","offset":0})", 0), "bad_message");
}

struct Id {
    std::string id;
    bool job, key;
};

const std::vector<Id> ids = {
    {"a", true, true},
    {"0", true, true},
    {"7f3a", true, true},
    {"-", true, true},
    {"_", true, true},
    {"a.b", true, true},
    {"a..b", true, true},
    {"AZaz09._-", true, true},
    {std::string(64, 'x'), true, true},
    {"alice@laptop", false, true},
    {"@", false, true},
    {"", false, false},
    {std::string(65, 'x'), false, false},
    {std::string(60000, 'x'), false, false},
    {".", false, false},
    {"..", false, false},
    {".a", false, false},
    {"../b", false, false},
    {"a/b", false, false},
    {"/a", false, false},
    {"a b", false, false},
    {" a", false, false},
    {"a\n", false, false},
    {std::string("a\0b", 3), false, false},
    {std::string("\0", 1), false, false},
    {"a\x7F", false, false},
    {"\xC3\xA9", false, false},
    {"a:b", false, false},
    {"a+b", false, false},
    {"a=b", false, false},
    {"a,b", false, false},
    {"a`b", false, false},
    {"a[b", false, false},
};

TEST(Codec, ids_have_a_small_alphabet) {
    for (const auto& [id, job, key] : ids) {
        EXPECT_EQ(valid_job_id(id), job) << escape(id, 80);
        EXPECT_EQ(valid_key_id(id), key) << escape(id, 80);
    }
    for (unsigned byte = 0; byte < 256; ++byte) {
        const std::string id = {'a', static_cast<char>(byte)};
        const bool word = std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-").find(id[1]) !=
                          std::string_view::npos;
        EXPECT_EQ(valid_job_id(id), word) << byte;
        EXPECT_EQ(valid_key_id(id), word || byte == '@') << byte;
    }
}

// Each sample that has `field` with each id in it; `good`: the member of Id that says whether it may be there.
void expect_checked(std::string_view field, bool Id::*good) {
    int samples = 0;
    for (const auto& sample : message_samples()) {
        auto header = object(sample.header);
        if (!header.contains(field)) continue;
        ++samples;
        for (const auto& id : ids) {
            header[field] = id.id;
            EXPECT_EQ(refusal([&] { decode_anywhere(header, sample.size); }), id.*good ? "" : "bad_message")
                << field << " '" << escape(id.id, 80) << "' in " << sample.header.substr(0, 30);
        }
    }
    EXPECT_GT(samples, 0);
}

TEST(Codec, job_ids_are_checked_in_every_message) { expect_checked("job", &Id::job); }

TEST(Codec, key_ids_are_checked) { expect_checked("key_id", &Id::key); }

} // namespace
} // namespace rc
