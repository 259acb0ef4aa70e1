// The samples of all messages, and that none is missing.
#include "tests/unit/message_samples.hpp"

#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace rc {
namespace {

// One statement for each sample: as one initializer list they take the compiler minutes and gigabytes.
std::vector<Sample> make_samples() {
    constexpr std::uint64_t top = ~std::uint64_t{0};
    std::vector<Sample> samples;
    const auto add = [&](Message message, std::string_view header, std::optional<std::uint64_t> size = {}) {
        samples.push_back({std::move(message), header, size});
    };
    add(Hello{{1, 2, top}, {"sftp", "cp"}, "alice@laptop", "root", "nonce"},
        R"({"type":"hello","versions":[1,2,18446744073709551615],"features":["sftp","cp"],"key_id":"alice@laptop","user":"root","nonce":"nonce"})");
    add(Hello{{}, {}, "a", "", ""}, R"({"type":"hello","versions":[],"features":[],"key_id":"a","user":"","nonce":""})");
    add(Challenge{1, {"sftp"}, "nonce", "salt", "boot", 1234},
        R"({"type":"challenge","version":1,"features":["sftp"],"nonce":"nonce","salt":"salt","boot":"boot","uptime":1234})", 32);
    add(Challenge{0, {}, "", "", "", 0},
        R"({"type":"challenge","version":0,"features":[],"nonce":"","salt":"","boot":"","uptime":0})", 32);
    add(Auth{}, R"({"type":"auth"})", 32);
    add(Welcome{{100, 1048576, 8388608}}, R"({"type":"welcome","limits":{"jobs":100,"window":1048576,"windows":8388608}})");
    add(Exec{"7f3a", "boot", 5, "client", 1, ExecMode::argv, 3, Pty{24, 80, "xterm", 7}, true, true, false, 18, 60, 10, true,
            true, true, {}, {16384, 0}},
        R"({"type":"exec","job":"7f3a","boot":"boot","uptime":5,"client":"client","generation":1,"mode":"argv","words":3,"pty":{"rows":24,"columns":80,"term":"xterm","typed":7},"stdin":true,"combine":true,"state":false,"umask":18,"keep":60,"timeout":10,"wait_eof":true,"durable":true,"detach":true,"limits":{"stdout":16384,"stderr":0}})",
        262144);
    add(Exec{"j", "", 0, "c", 1, ExecMode::shell, 1, {}, false, false, false, {}, 0, {}, false, false, false, {}, {16384, 16384}},
        R"({"type":"exec","job":"j","boot":"","uptime":0,"client":"c","generation":1,"mode":"shell","words":1,"stdin":false,"combine":false,"state":false,"keep":0,"wait_eof":false,"durable":false,"detach":false,"limits":{"stdout":16384,"stderr":16384}})",
        2);
    add(Exec{"j", "", 0, "c", 1, ExecMode::shell, 1, {}, false, false, false, {}, 0, {}, false, false, false, After{"i", true},
            {16384, 16384}},
        R"({"type":"exec","job":"j","boot":"","uptime":0,"client":"c","generation":1,"mode":"shell","words":1,"stdin":false,"combine":false,"state":false,"keep":0,"wait_eof":false,"durable":false,"detach":false,"after":{"job":"i","success":true},"limits":{"stdout":16384,"stderr":16384}})",
        2);
    add(Attach{"7f3a", "client", 2, 10, 20, false, OutputLimits{30, 40}, WindowSize{1, 2}},
        R"({"type":"attach","job":"7f3a","client":"client","generation":2,"stdout":10,"stderr":20,"tail":false,"limits":{"stdout":30,"stderr":40},"pty":{"rows":1,"columns":2}})");
    add(Attach{"7f3a", "c", 1, {}, {}, true, {}, {}},
        R"({"type":"attach","job":"7f3a","client":"c","generation":1,"tail":true})");
    add(Started{"7f3a", 4711, {65536}}, R"({"type":"started","job":"7f3a","pid":4711,"limits":{"stdin":65536}})");
    add(Attached{"7f3a", JobState::running, 1, 2, 3, 4, true, {5}},
        R"({"type":"attached","job":"7f3a","state":"running","stdin":1,"signals":2,"stdout":3,"stderr":4,"durable":true,"limits":{"stdin":5}})");
    add(Attached{"7f3a", JobState::finished, 0, 0, 0, 0, false, {0}},
        R"({"type":"attached","job":"7f3a","state":"finished","stdin":0,"signals":0,"stdout":0,"stderr":0,"durable":false,"limits":{"stdin":0}})");
    add(Data{"7f3a", StreamName::stdout_, top}, R"({"type":"data","job":"7f3a","stream":"stdout","offset":18446744073709551615})",
        65536);
    add(Data{"7f3a", StreamName::stdin_, 0}, R"({"type":"data","job":"7f3a","stream":"stdin","offset":0})", 1);
    add(Eof{"7f3a", StreamName::stderr_, 3}, R"({"type":"eof","job":"7f3a","stream":"stderr","offset":3})");
    add(Ack{"7f3a", StreamName::stdin_, 3, 9}, R"({"type":"ack","job":"7f3a","stream":"stdin","offset":3,"limit":9})");
    add(Stop{"7f3a", StreamName::stdout_}, R"({"type":"stop","job":"7f3a","stream":"stdout"})");
    add(Signal{"7f3a", 1, "INT"}, R"({"type":"signal","job":"7f3a","number":1,"name":"INT"})");
    add(Resize{"7f3a", 50, 132}, R"({"type":"resize","job":"7f3a","rows":50,"columns":132})");
    add(Keep{"7f3a", 60}, R"({"type":"keep","job":"7f3a","seconds":60})");
    add(Release{"7f3a"}, R"({"type":"release","job":"7f3a"})");
    add(Jobs{}, R"({"type":"jobs"})");
    add(Listed{"7f3a", Standing::finished, true, 5, 6, 7, ExitReason::exited, 3, {}},
        R"({"type":"listed","job":"7f3a","state":"finished","durable":true,"age":5,"stdout":6,"stderr":7,"reason":"exited","code":3})",
        4096);
    add(Listed{"7f3a", Standing::finished, true, 5, 6, 7, ExitReason::timeout, {}, "TERM"},
        R"({"type":"listed","job":"7f3a","state":"finished","durable":true,"age":5,"stdout":6,"stderr":7,"reason":"timeout","signal":"TERM"})",
        1);
    add(Listed{"7f3a", Standing::full, false, 0, 0, 0, {}, {}, {}},
        R"({"type":"listed","job":"7f3a","state":"full","durable":false,"age":0,"stdout":0,"stderr":0})", 0);
    add(ListedAll{7}, R"({"type":"listed_all","count":7})");
    add(Kill{"7f3a", "TERM"}, R"({"type":"kill","job":"7f3a","name":"TERM"})");
    add(Killed{"7f3a"}, R"({"type":"killed","job":"7f3a"})");
    add(Ping{}, R"({"type":"ping"})");
    add(Pong{"boot", 7}, R"({"type":"pong","boot":"boot","uptime":7})");
    add(Exit{"7f3a", ExitReason::exited, 255, {}, 1, 2, 3, true, {4, 5, 6, 7}, "boot"},
        R"({"type":"exit","job":"7f3a","reason":"exited","code":255,"stdout":1,"stderr":2,"stdin":3,"open":true,"usage":{"wall_us":4,"user_us":5,"system_us":6,"max_rss_kib":7},"boot":"boot"})",
        262144);
    add(Exit{"7f3a", ExitReason::timeout, {}, "TERM", 0, 0, 0, false, {0, 0, 0, 0}, ""},
        R"({"type":"exit","job":"7f3a","reason":"timeout","signal":"TERM","stdout":0,"stderr":0,"stdin":0,"open":false,"usage":{"wall_us":0,"user_us":0,"system_us":0,"max_rss_kib":0},"boot":""})",
        0);
    add(ErrorMessage{"7f3a", ErrorCode::busy, "no \u00e9", 5},
        R"({"type":"error","job":"7f3a","code":"busy","message":"no \u00e9","retry_after":5})");
    add(ErrorMessage{{}, ErrorCode::auth_failed, "", {}}, R"({"type":"error","code":"auth_failed","message":""})");
    return samples;
}

TEST(MessageSamples, every_message_has_one) {
    std::set<std::size_t> kinds;
    for (const auto& sample : message_samples()) kinds.insert(sample.message.index());
    EXPECT_EQ(kinds.size(), std::variant_size_v<Message>) << "a message was added without a sample";
}

} // namespace

const std::vector<Sample>& message_samples() {
    static const std::vector<Sample> samples = make_samples();
    return samples;
}

} // namespace rc
