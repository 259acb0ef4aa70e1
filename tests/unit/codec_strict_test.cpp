// What a message may hold: each field there, of its type, in its range, and no other.
#include "common/codec.hpp"

#include "common/bytes.hpp"
#include "common/strict_json.hpp"
#include "tests/unit/message_samples.hpp"
#include "tests/unit/refusal.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rc {
namespace {

using Size = std::optional<std::uint64_t>;
namespace json = boost::json;

json::object object(std::string_view text) { return json::parse(text).as_object(); }

std::string refused(const json::object& header, Size size = {}) {
    std::string code;
    for (const Peer sender : {Peer::client, Peer::server}) {
        for (const Phase phase : {Phase::greeting, Phase::proof, Phase::open}) {
            code = refusal([&] { decode_message(header, size, sender, phase); });
            if (code != "unexpected_message") return code;
        }
    }
    return code;
}

std::string refused_text(std::string_view text, Size size = {}) {
    std::string code;
    const std::string parsing = refusal([&] { code = refused(parse_object(text), size); });
    return parsing.empty() ? code : parsing;
}

// The fields that PROTOCOL.md marks with a question mark.
const std::vector<std::string_view> optional_fields = {"exec.pty", "exec.umask", "exec.timeout", "exec.after", "attach.stdout",
    "attach.stderr", "attach.pty", "attach.limits", "listed.reason", "listed.code", "listed.signal", "exit.code", "exit.signal",
    "error.job", "error.retry_after"};

// Calls `change` with each object of a sample's header in turn, to be altered in place, and where it is.
void for_each_object(
    const Sample& sample, const std::function<void(json::object& header, json::object& part, const std::string& where)>& change) {
    auto header = object(sample.header);
    const std::string type(header.at("type").as_string());
    change(header, header, type);
    std::vector<std::string> nested;
    for (const auto& field : header) {
        if (field.value().is_object()) nested.emplace_back(field.key());
    }
    for (const auto& name : nested) change(header, header.at(name).as_object(), type + "." + name);
}

std::vector<std::string> keys(const json::object& part) {
    std::vector<std::string> names;
    for (const auto& field : part) {
        if (field.key() != "type") names.emplace_back(field.key());
    }
    return names;
}

// Values that are not of the type of `right`.
std::vector<json::value> wrong_values(const json::value& right) {
    const std::vector<json::value> all = {nullptr, true, "", "1", json::array{}, json::object{}, 1, -1, 1.0, 0.5, 1e19,
        18446744073709551616.0, std::numeric_limits<std::int64_t>::min()};
    std::vector<json::value> wrong;
    for (const auto& value : all) {
        const bool whole = value.is_int64() && value.get_int64() >= 0;
        const bool fits = (right.is_number() && whole) || (right.is_bool() && value.is_bool()) ||
                          (right.is_string() && value.is_string()) || (right.is_array() && value.is_array());
        if (!fits) wrong.push_back(value);
    }
    return wrong;
}

TEST(CodecStrict, every_field_must_be_there_but_the_optional_ones) {
    for (const auto& sample : message_samples()) {
        for_each_object(sample, [&](json::object& header, json::object& part, const std::string& where) {
            const json::object before = part;
            for (const auto& name : keys(before)) {
                const std::string field = where + "." + name;
                // Their own rule: one of the two.
                if (field == "exit.code" || field == "exit.signal") continue;
                part.erase(name);
                const bool optional = std::ranges::find(optional_fields, field) != optional_fields.end();
                EXPECT_EQ(refused(header, sample.size), optional ? "" : "bad_message") << field << " missing";
                part = before;
            }
        });
    }
}

TEST(CodecStrict, every_field_must_have_its_type_and_none_may_be_null) {
    for (const auto& sample : message_samples()) {
        for_each_object(sample, [&](json::object& header, json::object& part, const std::string& where) {
            const json::object before = part;
            for (const auto& name : keys(before)) {
                for (const auto& wrong : wrong_values(before.at(name))) {
                    part[name] = wrong;
                    EXPECT_EQ(refused(header, sample.size), "bad_message")
                        << where << '.' << name << ' ' << json::serialize(wrong);
                }
                part = before;
            }
        });
    }
}

TEST(CodecStrict, optional_fields_that_are_absent_may_not_be_null) {
    for (const auto& sample : message_samples()) {
        auto header = object(sample.header);
        const std::string type(header.at("type").as_string());
        for (const auto field : optional_fields) {
            const auto dot = field.find('.');
            const auto name = field.substr(dot + 1);
            if (field.substr(0, dot) != type || header.contains(name)) continue;
            header[name] = nullptr;
            EXPECT_EQ(refused(header, sample.size), "bad_message") << field;
            header.erase(name);
        }
    }
}

TEST(CodecStrict, no_other_field_may_be_there) {
    for (const auto& sample : message_samples()) {
        for_each_object(sample, [&](json::object& header, json::object& part, const std::string& where) {
            const json::object before = part;
            for (const std::string_view name : {"x", "", "Job", "job_", "stdin_", "size", "body", "type "}) {
                part[name] = 1;
                EXPECT_EQ(refused(header, sample.size), "bad_message") << where << " with '" << name << "'";
                part = before;
            }
        });
    }
}

TEST(CodecStrict, elements_of_arrays_have_their_type_too) {
    for (const std::string_view versions : {"[null]", "[1,\"1\"]", "[-1]", "[1.0]", "[[1]]", "[true]", "[{}]"}) {
        EXPECT_EQ(refused_text(R"({"type":"hello","features":[],"key_id":"a","user":"","nonce":"","versions":)" +
                               std::string(versions) + "}"),
            "bad_message")
            << versions;
    }
    for (const std::string_view features : {"[null]", "[\"a\",1]", "[[\"a\"]]", "[true]", "[{}]"}) {
        EXPECT_EQ(refused_text(R"({"type":"hello","versions":[1],"key_id":"a","user":"","nonce":"","features":)" +
                               std::string(features) + "}"),
            "bad_message")
            << features;
    }
}

TEST(CodecStrict, numbers_are_whole_and_from_0_to_2_to_the_64_less_1) {
    struct Case {
        std::string_view number, refused;
    };
    const std::vector<Case> table = {
        {"0", ""},
        {"1", ""},
        {"9223372036854775807", ""},
        {"9223372036854775808", ""},
        {"18446744073709551615", ""},
        {"18446744073709551616", "bad_message"},
        {"99999999999999999999999999", "bad_message"},
        {"-1", "bad_message"},
        {"-9223372036854775808", "bad_message"},
        {"-9223372036854775809", "bad_message"},
        {"0.0", "bad_message"},
        {"1.0", "bad_message"},
        {"1.5", "bad_message"},
        {"1e0", "bad_message"},
        {"1E3", "bad_message"},
        {"10e-1", "bad_message"},
        {"-0.0", "bad_message"},
        {"\"1\"", "bad_message"},
        {"01", "bad_frame"},
        {"+1", "bad_frame"},
        {"0x1", "bad_frame"},
    };
    for (const auto& [number, expected] : table) {
        EXPECT_EQ(refused_text(R"({"type":"pong","boot":"b","uptime":)" + std::string(number) + "}"), expected) << number;
        EXPECT_EQ(
            refused_text(R"({"type":"error","code":"busy","message":"","retry_after":)" + std::string(number) + "}"), expected)
            << number;
    }
}

TEST(CodecStrict, numbers_keep_their_value) {
    for (const std::uint64_t value :
        {std::uint64_t{0}, std::uint64_t{1} << 63, ~std::uint64_t{0}, (std::uint64_t{1} << 53) + 1}) {
        const auto header = parse_object(R"({"type":"keep","job":"j","seconds":)" + std::to_string(value) + "}");
        EXPECT_EQ(std::get<Keep>(decode_message(header, {}, Peer::client, Phase::open)).seconds, value);
    }
}

TEST(CodecStrict, exit_has_either_a_code_or_a_signal) {
    for (const auto& sample : message_samples()) {
        if (!std::holds_alternative<Exit>(sample.message)) continue;
        auto header = object(sample.header);
        header.erase("code");
        header.erase("signal");
        EXPECT_EQ(refused(header, 0), "bad_message");
        header["code"] = 0;
        EXPECT_EQ(refused(header, 0), "");
        header["signal"] = "TERM";
        EXPECT_EQ(refused(header, 0), "bad_message");
        header.erase("code");
        EXPECT_EQ(refused(header, 0), "");
    }
}

TEST(CodecStrict, exec_has_as_many_words_as_its_mode_takes) {
    struct Case {
        std::string_view mode;
        std::uint64_t words;
        bool good;
    };
    const std::vector<Case> table = {{"shell", 0, false}, {"shell", 1, true}, {"shell", 2, false}, {"argv", 0, false},
        {"argv", 1, true}, {"argv", 1000, true}, {"subsystem", 0, false}, {"subsystem", 1, true}, {"subsystem", 3, true}};
    for (const auto& sample : message_samples()) {
        if (!std::holds_alternative<Exec>(sample.message)) continue;
        for (const auto& [mode, words, good] : table) {
            auto header = object(sample.header);
            header["mode"] = mode;
            header["words"] = words;
            EXPECT_EQ(refused(header, 2), good ? "" : "bad_message") << mode << " with " << words;
        }
    }
}

TEST(CodecStrict, exec_grants_each_stream_a_window_that_is_worth_it) {
    struct Case {
        bool combine;
        std::uint64_t out, error;
        bool good;
    };
    constexpr std::uint64_t least = 16384;
    const std::vector<Case> table = {{false, least, least, true}, {false, ~std::uint64_t{0}, ~std::uint64_t{0}, true},
        {false, least - 1, least, false}, {false, least, least - 1, false}, {false, 0, 0, false}, {false, least, 0, false},
        {true, least, 0, true}, {true, least, least, true}, {true, least - 1, least, false}, {true, 0, 0, false}};
    for (const auto& sample : message_samples()) {
        if (!std::holds_alternative<Exec>(sample.message)) continue;
        auto header = object(sample.header);
        for (const auto& [combine, out, error, good] : table) {
            if (!combine) header.erase("pty");
            header["combine"] = combine;
            header["limits"] = {{"stdout", out}, {"stderr", error}};
            EXPECT_EQ(refused(header, 2), good ? "" : "bad_message") << combine << ' ' << out << ' ' << error;
        }
    }
}

TEST(CodecStrict, what_goes_with_a_terminal) {
    struct Case {
        std::string_view name;
        std::function<void(json::object& header)> change;
        bool good;
    };
    const auto pty = [](json::object& header) -> json::object& { return header.at("pty").as_object(); };
    const std::vector<Case> table = {
        {"as it is", [](json::object&) {}, true},
        {"stderr apart", [](json::object& header) { header["combine"] = false; }, false},
        {"no terminal", [](json::object& header) { header.erase("pty"); }, true},
        {"the state", [](json::object& header) { header["state"] = true; }, true},
        {"the state without a terminal", [](json::object& header) { header["state"] = true, header.erase("pty"); }, false},
        {"no size", [&](json::object& header) { pty(header)["rows"] = pty(header)["columns"] = 0; }, true},
        {"the largest", [&](json::object& header) { pty(header)["rows"] = pty(header)["columns"] = 65535; }, true},
        {"too high", [&](json::object& header) { pty(header)["rows"] = 65536; }, false},
        {"too wide", [&](json::object& header) { pty(header)["columns"] = 65536; }, false},
        {"no kind", [&](json::object& header) { pty(header)["term"] = ""; }, true},
        {"a kind with all signs", [&](json::object& header) { pty(header)["term"] = "xterm-256color+tc_x.y"; }, true},
        {"a kind with a slash", [&](json::object& header) { pty(header)["term"] = "../x"; }, false},
        {"a kind with a blank", [&](json::object& header) { pty(header)["term"] = "a b"; }, false},
        {"a long kind", [&](json::object& header) { pty(header)["term"] = std::string(64, 'a'); }, true},
        {"a longer kind", [&](json::object& header) { pty(header)["term"] = std::string(65, 'a'); }, false},
        {"much typed", [&](json::object& header) { pty(header)["typed"] = 4096; }, true},
        {"too much typed", [&](json::object& header) { pty(header)["typed"] = 4097; }, false},
        {"typed, but no input", [](json::object& header) { header["stdin"] = false; }, false},
        {"no input",
            [&](json::object& header) {
                header["stdin"] = false;
                pty(header)["typed"] = 0;
            },
            true},
        {"the whole umask", [](json::object& header) { header["umask"] = 0777; }, true},
        {"more than a umask", [](json::object& header) { header["umask"] = 01000; }, false},
    };
    for (const auto& sample : message_samples()) {
        const auto* exec = std::get_if<Exec>(&sample.message);
        if (exec == nullptr || !exec->pty) continue;
        for (const auto& [name, change, good] : table) {
            auto header = object(sample.header);
            change(header);
            EXPECT_EQ(refused(header, 2), good ? "" : "bad_message") << name;
        }
    }
}

TEST(CodecStrict, a_window_has_at_most_65535_rows_and_columns) {
    for (const std::string_view open :
        {R"({"type":"resize","job":"j",)", R"({"type":"attach","job":"j","client":"c","generation":1,"tail":false,"pty":{)"}) {
        const std::string close = open.ends_with('{') ? "}}" : "}";
        for (const std::string_view size : {"0", "1", "65535", "65536", "18446744073709551615"}) {
            const std::string_view expected = size.size() > 5 || size == "65536" ? "bad_message" : "";
            EXPECT_EQ(refused_text(std::string(open).append(R"("rows":1,"columns":)").append(size) + close), expected) << size;
            EXPECT_EQ(refused_text(std::string(open).append(R"("columns":1,"rows":)").append(size) + close), expected) << size;
        }
    }
}

TEST(CodecStrict, generations_start_at_1) {
    for (const auto& sample : message_samples()) {
        if (!std::holds_alternative<Exec>(sample.message)) continue;
        auto header = object(sample.header);
        header["generation"] = 0;
        EXPECT_EQ(refused(header, 2), "bad_message");
        header["generation"] = 2;
        EXPECT_EQ(refused(header, 2), "");
    }
}

TEST(CodecStrict, clients_have_names_as_jobs_have) {
    for (const auto& sample : message_samples()) {
        if (!std::holds_alternative<Exec>(sample.message) && !std::holds_alternative<Attach>(sample.message)) continue;
        auto header = object(sample.header);
        for (const std::string& name : {std::string(), std::string("a b"), std::string(".a"), std::string(65, 'a')}) {
            header["client"] = name;
            EXPECT_EQ(refused(header, sample.size), "bad_message") << name;
        }
        header["client"] = std::string(64, 'a');
        EXPECT_EQ(refused(header, sample.size), "");
    }
}

// The refusal goes back to the peer as a message of its own, so it must be one, however the offending one was made.
TEST(CodecStrict, texts_of_refusals_fit_into_an_error_message) {
    std::string wide;
    while (wide.size() < 900) wide += "\xE2\x82\xAC";
    const std::vector<std::string> names = {"", wide, "x" + wide, "xx" + wide, "\\u0001\\u0002", "\\u007f\\\"\\\\"};
    for (const auto& name : names) {
        for (const auto& [before, after] : std::vector<std::pair<std::string, std::string>>{{R"({"type":")", R"("})"},
                 {R"({"type":"ping",")", R"(":1})"}, {R"({"type":"exec",")", R"(":1})"},
                 {R"({"type":"attach","job":"j","client":"c","generation":1,"pty":{"rows":1,"columns":1,")", R"(":1}})"}}) {
            // As long as a client that has proved nothing may make it.
            const std::string padding(limits::header_before_proof - before.size() - name.size() - after.size(), 'n');
            for (const auto& header : {before + name + after, before + name + padding + after}) {
                SCOPED_TRACE(escape(header, 150));
                std::string text;
                try {
                    decode_message(parse_object(header), {}, Peer::client, Phase::open);
                    ADD_FAILURE() << "taken";
                } catch (const Error& error) {
                    text = error.what();
                }
                EXPECT_TRUE(is_utf8(text)) << escape(text, 150);
                const std::string reply = encode_message(ErrorMessage{{}, ErrorCode::bad_message, text, {}});
                EXPECT_LE(reply.size() - 4, limits::header_before_proof);
            }
        }
    }
}

} // namespace
} // namespace rc
