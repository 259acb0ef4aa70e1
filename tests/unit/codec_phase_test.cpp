// Who may send what, and when: every message from either end in every phase.
#include "common/codec.hpp"

#include "tests/unit/message_samples.hpp"
#include "tests/unit/refusal.hpp"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace rc {
namespace {

// The first three columns of the table in PROTOCOL.md section 3, copied by hand: the code's own table is what is tested.
struct Row {
    std::string_view type, from, phase;
};
const std::vector<Row> protocol = {
    {"hello", "client", "greeting"},
    {"challenge", "server", "greeting"},
    {"auth", "client", "proof"},
    {"welcome", "server", "proof"},
    {"exec", "client", "open"},
    {"attach", "client", "open"},
    {"started", "server", "open"},
    {"attached", "server", "open"},
    {"data", "both", "open"},
    {"eof", "both", "open"},
    {"ack", "both", "open"},
    {"stop", "both", "open"},
    {"signal", "client", "open"},
    {"resize", "client", "open"},
    {"keep", "client", "open"},
    {"release", "client", "open"},
    {"jobs", "client", "open"},
    {"listed", "server", "open"},
    {"listed_all", "server", "open"},
    {"kill", "client", "open"},
    {"killed", "server", "open"},
    {"ping", "client", "open"},
    {"pong", "server", "open"},
    {"exit", "server", "open"},
    {"error", "server", "any"},
};

struct Place {
    std::string_view name;
    Peer sender;
    std::string_view phase_name;
    Phase phase;
};
const std::vector<Place> places = {
    {"client", Peer::client, "greeting", Phase::greeting},
    {"client", Peer::client, "proof", Phase::proof},
    {"client", Peer::client, "open", Phase::open},
    {"server", Peer::server, "greeting", Phase::greeting},
    {"server", Peer::server, "proof", Phase::proof},
    {"server", Peer::server, "open", Phase::open},
};

bool legal(const Row& row, const Place& place) {
    return (row.from == "both" || row.from == place.name) && (row.phase == "any" || row.phase == place.phase_name);
}

boost::json::object object(std::string_view text) { return boost::json::parse(text).as_object(); }

std::string refused(const boost::json::object& header, std::optional<std::uint64_t> size, const Place& place) {
    return refusal([&] { decode_message(header, size, place.sender, place.phase); });
}

std::string where(std::string_view what, const Place& place) {
    return std::string(what) + " from the " + std::string(place.name) + " in " + std::string(place.phase_name);
}

TEST(CodecPhase, table_has_every_message) {
    std::vector<std::string_view> names;
    std::apply([&](const auto&... row) { (names.push_back(row.name), ...); }, message_table);
    std::vector<std::string_view> wanted;
    for (const auto& row : protocol) wanted.push_back(row.type);
    std::ranges::sort(names);
    std::ranges::sort(wanted);
    EXPECT_EQ(names, wanted);
}

TEST(CodecPhase, messages_are_legal_only_where_the_protocol_says) {
    for (const auto& sample : message_samples()) {
        const auto header = object(sample.header);
        const auto row = std::ranges::find(protocol, std::string_view(header.at("type").as_string()), &Row::type);
        ASSERT_NE(row, protocol.end()) << sample.header;
        for (const auto& place : places) {
            EXPECT_EQ(refused(header, sample.size, place), legal(*row, place) ? "" : "unexpected_message")
                << where(sample.header, place);
        }
    }
}

// A message out of place must not be judged by its fields or its size: nothing of it is looked at.
TEST(CodecPhase, misplaced_messages_are_refused_as_such_whatever_they_hold) {
    for (const auto& row : protocol) {
        boost::json::object header;
        header["type"] = row.type;
        header["nonsense"] = 1;
        for (const auto& place : places) {
            if (legal(row, place)) continue;
            EXPECT_EQ(refused(header, ~std::uint64_t{0}, place), "unexpected_message") << where(row.type, place);
        }
    }
}

TEST(CodecPhase, unknown_types_are_refused_everywhere) {
    for (const std::string type :
        {"", "Hello", "HELLO", "hello ", " hello", "hell", "helloo", "Jobs", "type", "error_", "ping\n"}) {
        for (const auto& place : places) {
            boost::json::object header;
            header["type"] = type;
            EXPECT_EQ(refused(header, {}, place), "unexpected_message") << where(type, place);
            EXPECT_EQ(refused(header, 0, place), "unexpected_message") << where(type, place);
        }
    }
}

TEST(CodecPhase, type_must_be_there_and_a_string) {
    for (const std::string_view header : {"{}", R"({"job":"j"})", R"({"type":null})", R"({"type":1})", R"({"type":["ping"]})",
             R"({"type":{"type":"ping"}})", R"({"type":true})", R"({"Type":"ping"})"}) {
        for (const auto& place : places) EXPECT_EQ(refused(object(header), {}, place), "bad_message") << where(header, place);
    }
}

} // namespace
} // namespace rc
