// Options of ssh_config(5), as programs give them with -o.
#include "client/ssh_option.hpp"

#include "common/files.hpp"
#include "tests/unit/failure_of.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace rc {
namespace {

struct Taken {
    ClientOptions options;
    Settings settings;
    bool known = true;
};

Taken taken(const std::vector<std::string>& texts) {
    Taken result;
    for (const std::string& text : texts) result.known = take_ssh_option(text, result.options, result.settings) && result.known;
    return result;
}

TEST(SshOption, all_spellings_of_one_are_alike) {
    for (const std::string text : {"Port=2222", "port=2222", "PORT=2222", "Port 2222", "Port\t2222", "Port = 2222", " Port=2222 ",
             "Port=\"2222\"", "Port \"2222\"", "port   =   2222"}) {
        EXPECT_EQ(taken({text}).settings.port, 2222) << text;
    }
    EXPECT_EQ(taken({"User=\"bob\""}).settings.user, "bob");
    EXPECT_EQ(taken({"User=a=b"}).settings.user, "a=b");
    EXPECT_EQ(taken({" ConnectTimeout=30"}).options.connect_timeout, std::chrono::seconds(30));
    EXPECT_EQ(taken({"ForwardX11 no"}).known, true);
}

TEST(SshOption, each_sets_its_own) {
    EXPECT_EQ(taken({"HostName=192.0.2.7"}).settings.address, "192.0.2.7");
    EXPECT_EQ(taken({"IdentityFile=/k"}).settings.key, "/k");
    EXPECT_FALSE(taken({"IdentityFile=none"}).settings.key);
    EXPECT_EQ(taken({"AddressFamily=inet"}).options.family, Family::ipv4);
    EXPECT_EQ(taken({"AddressFamily=inet6"}).options.family, Family::ipv6);
    EXPECT_EQ(taken({"RequestTTY=yes"}).options.terminal, WantTerminal::if_here);
    EXPECT_EQ(taken({"RequestTTY=force"}).options.terminal, WantTerminal::always);
    EXPECT_EQ(taken({"RequestTTY=no"}).options.terminal, WantTerminal::never);
    EXPECT_EQ(taken({"RequestTTY=auto"}).options.terminal, WantTerminal::at_prompt);
    EXPECT_TRUE(taken({"LogLevel=QUIET"}).options.quiet);
    EXPECT_TRUE(taken({"LogLevel=DEBUG3"}).options.verbose);
    EXPECT_TRUE(taken({"StdinNull=yes"}).options.no_stdin);
    EXPECT_FALSE(taken({"StdinNull=no"}).options.no_stdin);
    EXPECT_TRUE(taken({"SessionType=subsystem"}).options.subsystem);
    EXPECT_TRUE(taken({"SessionType=none"}).options.no_command);
}

TEST(SshOption, the_first_counts) {
    EXPECT_EQ(taken({"Port=1", "Port=2"}).settings.port, 1);
    EXPECT_EQ(taken({"User=a", "User=b"}).settings.user, "a");
    EXPECT_EQ(taken({"HostName=a", "HostName=b"}).settings.address, "a");
    EXPECT_EQ(taken({"IdentityFile=/a", "IdentityFile=/b"}).settings.key, "/a");
    EXPECT_EQ(taken({"ConnectTimeout=1", "ConnectTimeout=2"}).options.connect_timeout, std::chrono::seconds(1));
    EXPECT_EQ(taken({"RequestTTY=no", "RequestTTY=force"}).options.terminal, WantTerminal::never);
}

TEST(SshOption, what_is_known_of_hosts) {
    struct Case {
        std::string text;
        HostChecking checking;
    };
    const std::vector<Case> table = {{"yes", HostChecking::strict}, {"true", HostChecking::strict}, {"YES", HostChecking::strict},
        {"accept-new", HostChecking::accept_new}, {"ask", HostChecking::accept_new}, {"no", HostChecking::off},
        {"off", HostChecking::off}, {"false", HostChecking::off}};
    for (const auto& [text, checking] : table)
        EXPECT_EQ(taken({"StrictHostKeyChecking=" + text}).settings.host_checking, checking) << text;
    EXPECT_FALSE(taken({}).settings.host_checking);
    EXPECT_EQ(taken({"StrictHostKeyChecking=no", "StrictHostKeyChecking=yes"}).settings.host_checking, HostChecking::off);

    using Files = std::vector<std::filesystem::path>;
    EXPECT_EQ(taken({"UserKnownHostsFile=/a"}).settings.known_hosts, Files{"/a"});
    EXPECT_EQ(taken({"UserKnownHostsFile ~/a \"/b c\" d"}).settings.known_hosts, (Files{home_directory() / "a", "/b c", "d"}));
    EXPECT_EQ(taken({"UserKnownHostsFile=none"}).settings.known_hosts, Files{"/dev/null"});
    EXPECT_EQ(taken({"UserKnownHostsFile=/a", "UserKnownHostsFile=/b"}).settings.known_hosts, Files{"/a"});
    EXPECT_EQ(taken({"HostKeyAlias=a", "HostKeyAlias=b"}).settings.host_key_alias, "a");
}

TEST(SshOption, variables_are_set_and_sent) {
    ASSERT_EQ(::setenv("SSH_OPTION_TEST_A", "1", 1), 0);
    ASSERT_EQ(::setenv("SSH_OPTION_TEST_B", "2 3", 1), 0);
    ASSERT_EQ(::setenv("RCMD_OPTION_TEST", "x", 1), 0);
    using Words = std::vector<std::string>;
    EXPECT_EQ(taken({"SetEnv=A=1 B=2"}).settings.environment, (Words{"A=1", "B=2"}));
    EXPECT_EQ(taken({"SetEnv=\"A=1 2\""}).settings.environment, (Words{"A=1 2"}));
    EXPECT_EQ(taken({"SendEnv=SSH_OPTION_TEST_A"}).settings.environment, (Words{"SSH_OPTION_TEST_A=1"}));
    EXPECT_EQ(taken({"SendEnv=SSH_OPTION_TEST_B SSH_OPTION_TEST_A"}).settings.environment,
        (Words{"SSH_OPTION_TEST_B=2 3", "SSH_OPTION_TEST_A=1"}));
    EXPECT_EQ(taken({"SendEnv=SSH_OPTION_TEST_*"}).settings.environment.size(), 2U);
    EXPECT_TRUE(taken({"SendEnv=NO_SUCH_VARIABLE_*"}).settings.environment.empty());
    EXPECT_TRUE(taken({"SendEnv=RCMD_OPTION_*"}).settings.environment.empty());
}

// What the tools of ssh-callers give, and what scripts have in them.
TEST(SshOption, what_means_nothing_here_is_known_and_ignored) {
    for (const std::string text : {"BatchMode=yes", "ControlMaster=auto", "ControlPersist=60s", "ControlPath=\"/x/%C\"",
             "KbdInteractiveAuthentication=no", "PreferredAuthentications=publickey", "PasswordAuthentication=no",
             "PermitLocalCommand=no", "ClearAllForwardings=yes", "RemoteCommand=none", "ForwardAgent=no",
             "NumberOfPasswordPrompts=1", "GlobalKnownHostsFile=/dev/null", "HashKnownHosts=yes", "ServerAliveInterval=5",
             "Ciphers=aes128-ctr", "ProxyCommand=none", "ProxyJump=none", "Compression=yes", "ConnectTimeout=none"}) {
        EXPECT_TRUE(taken({text}).known) << text;
    }
}

TEST(SshOption, unknown_ones_are_told) {
    for (const std::string text : {"NoSuchOption=1", "Portt=1", "X 1"}) EXPECT_FALSE(taken({text}).known) << text;
}

TEST(SshOption, what_would_change_the_meaning_is_refused) {
    for (const std::string text :
        {"ProxyCommand=nc %h %p", "ProxyJump=j", "LocalForward=1 h:2", "RemoteForward=1 h:2", "DynamicForward=1",
            "ForwardAgent=yes", "ForwardX11=yes", "RemoteCommand=ls", "Tunnel=yes", "ForkAfterAuthentication=yes",
            "PermitLocalCommand=yes", "BindAddress=192.0.2.1", "Port=x", "Port=0", "ConnectTimeout=x", "AddressFamily=ipv4",
            "RequestTTY=maybe", "StrictHostKeyChecking=maybe", "HostKeyAlias=a b", "HostKeyAlias=#a",
            "UserKnownHostsFile=", "SessionType=x", "SetEnv=A", "Port", "Port=", "=1", "", " ", "Port=\"\""}) {
        EXPECT_EQ(failed([&] { taken({text}); }), "usage 255") << text;
    }
}

} // namespace
} // namespace rc
