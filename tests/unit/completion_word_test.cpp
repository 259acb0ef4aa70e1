// The word that Tab completes, and how names are quoted for it.
#include "client/completion_word.hpp"

#include "common/bytes.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

using enum CompletionKind;
using enum QuoteStyle;

// `kept`: the line up to where the replacement begins.
struct Place {
    std::string_view line;
    CompletionKind kind;
    std::string_view text, kept;
    QuoteStyle quote = none;
    bool braces = false;
};

void expect_words(const std::vector<Place>& table) {
    for (const auto& [line, kind, text, kept, quote, braces] : table) {
        const CompletionWord word = completion_word(line);
        EXPECT_EQ(word.kind, kind) << escape(line);
        EXPECT_EQ(word.text, text) << escape(line);
        EXPECT_EQ(line.substr(0, word.start), kept) << escape(line);
        EXPECT_EQ(word.quote, quote) << escape(line);
        EXPECT_EQ(word.braces, braces) << escape(line);
    }
}

TEST(CompletionWord, the_first_word_is_a_command) {
    expect_words({{"", command, "", ""}, {" ", command, "", " "}, {"l", command, "l", ""}, {"a; l", command, "l", "a; "},
        {"a;l", command, "l", "a;"}, {"a & l", command, "l", "a & "}, {"a && l", command, "l", "a && "},
        {"a || ", command, "", "a || "}, {"a|l", command, "l", "a|"}, {"(l", command, "l", "("}, {"a $(l", command, "l", "a $("},
        {"a `l", command, "l", "a `"}, {"a \"$(l", command, "l", "a \"$("}, {"a \"`l", command, "l", "a \"`"},
        {"a <(l", command, "l", "a <("}, {"{ l", command, "l", "{ "}, {"! l", command, "l", "! "}, {"if l", command, "l", "if "},
        {"if a; then l", command, "l", "if a; then "}, {"if a; then b; else l", command, "l", "if a; then b; else "},
        {"if a; then b; elif l", command, "l", "if a; then b; elif "}, {"while l", command, "l", "while "},
        {"until l", command, "l", "until "}, {"for x in a; do l", command, "l", "for x in a; do "},
        {"case x in a) l", command, "l", "case x in a) "}, {"f() { l", command, "l", "f() { "}, {"a\nl", command, "l", "a\n"},
        {"a \\\nl", path, "l", "a \\\n"}, {"a | \\\nl", command, "l", "a | \\\n"}, {"if a; th", command, "th", "if a; "},
        {"for x in a; d", command, "d", "for x in a; "}, {"(a) && l", command, "l", "(a) && "},
        {"a # ' b\nl", command, "l", "a # ' b\n"}});
}

TEST(CompletionWord, a_command_may_have_something_before_it) {
    expect_words({{"A=1 l", command, "l", "A=1 "}, {"A=1 B='2 3' l", command, "l", "A=1 B='2 3' "},
        {"A+=1 l", command, "l", "A+=1 "}, {">f l", command, "l", ">f "}, {"sudo l", command, "l", "sudo "},
        {"exec l", command, "l", "exec "}, {"command l", command, "l", "command "}, {"nohup l", command, "l", "nohup "},
        {"time l", command, "l", "time "}, {"env l", command, "l", "env "}, {"env A=1 l", command, "l", "env A=1 "},
        {"sudo -n l", command, "l", "sudo -n "}, {"sudo env nohup l", command, "l", "sudo env nohup "},
        {"a; sudo l", command, "l", "a; sudo "}, {"sudo ls l", path, "l", "sudo ls "}, {"echo sudo l", path, "l", "echo sudo "},
        {"A=1 ls l", path, "l", "A=1 ls "}, {"sudo", command, "sudo", ""}});
}

TEST(CompletionWord, any_other_word_is_a_path) {
    expect_words({{"a l", path, "l", "a "}, {"a ", path, "", "a "}, {"a b c", path, "c", "a b "},
        {"echo if l", path, "l", "echo if "}, {"a >l", path, "l", "a >"}, {"a > l", path, "l", "a > "},
        {"a <l", path, "l", "a <"}, {"a >>l", path, "l", "a >>"}, {"a 2>l", path, "l", "a 2>"}, {"a &>l", path, "l", "a &>"},
        {">l", path, "l", ">"}, {"> l", path, "l", "> "}, {"a $(b) l", path, "l", "a $(b) "}, {"a `b` l", path, "l", "a `b` "},
        {"for x in l", path, "l", "for x in "}, {"[[ -f l", path, "l", "[[ -f "}, {"x=(l", path, "l", "x=("},
        {"case l", path, "l", "case "}, {"a $(b l", path, "l", "a $(b "}, {"a \"$(b l", path, "l", "a \"$(b "},
        {"a `b l", path, "l", "a `b "}, {"fi l", path, "l", "fi "}, {"cat <<E\nx l", path, "l", "cat <<E\nx "},
        {"cat <<E\nE\nx", command, "x", "cat <<E\nE\n"}, {"cat <<E\nit's\nl", path, "l", "cat <<E\nit's\n"}});
}

TEST(CompletionWord, of_a_path_the_last_component_is_replaced) {
    expect_words({{"/", path, "/", "/"}, {"/b", path, "/b", "/"}, {"./l", path, "./l", "./"}, {"a/l", path, "a/l", "a/"},
        {"..", path, "..", ""}, {".", path, ".", ""}, {"~", path, "~", ""}, {"~/l", path, "~/l", "~/"},
        {"~b/l", path, "~b/l", "~b/"}, {"~b", path, "~b", ""}, {"a /usr/l", path, "/usr/l", "a /usr/"},
        {"a /usr/", path, "/usr/", "a /usr/"}, {"a //l", path, "//l", "a //"}, {"a b/c/d", path, "b/c/d", "a b/c/"},
        {"sudo /b", path, "/b", "sudo /"}, {"a >/l", path, "/l", "a >/"}, {"a ~/l", path, "~/l", "a ~/"},
        {"a '~/l", path, "./~/l", "a '~/", single_quotes}, {"a \\~l", path, "./~l", "a "},
        {"a \"~\"/l", path, "./~/l", "a \"~\"/"}});
}

TEST(CompletionWord, quotes_and_backslashes_are_removed) {
    expect_words({{"a b\\ c", path, "b c", "a "}, {"a b\\ c/d\\ e", path, "b c/d e", "a b\\ c/"}, {"a \\$x", path, "$x", "a "},
        {"a 'b c'd", path, "b cd", "a "}, {"a b\\", path, "b", "a "}, {"a b\\\\", path, "b\\", "a "},
        {"a \"b\\$\\\"\\x\"", path, "b$\"\\x", "a "}, {"a 'b'\\''c'", path, "b'c", "a "},
        {"a $'b\\n\\x41\\101\\'\\e'c", path,
            "b\nAA'\x1b"
            "c",
            "a "},
        {"a $'\\xa", path, "\n", "a $'", dollar_quotes}, {"a b\\\nc", path, "bc", "a "}, {"'l'", command, "l", ""},
        {"\\l", command, "l", ""}, {"a b\\/c", path, "b/c", "a b\\/"}, {"a \"b\\\nc", path, "bc", "a \"", double_quotes}});
}

TEST(CompletionWord, a_quote_that_is_open) {
    expect_words({{"a '", path, "", "a '", single_quotes}, {"a 'b c", path, "b c", "a '", single_quotes},
        {"a \"b c", path, "b c", "a \"", double_quotes}, {"a $'b\\'c", path, "b'c", "a $'", dollar_quotes},
        {"\"l", command, "l", "\"", double_quotes}, {"'l", command, "l", "'", single_quotes},
        {"a '/usr/l", path, "/usr/l", "a '/usr/", single_quotes}, {"a \"/u r/l", path, "/u r/l", "a \"/u r/", double_quotes},
        {"a b\"c/d", path, "bc/d", "a b\"c/", double_quotes}, {"a /u/\"l", path, "/u/l", "a /u/\"", double_quotes},
        {"a '/u'/'l m", path, "/u/l m", "a '/u'/'", single_quotes}, {"a 'b;l", path, "b;l", "a '", single_quotes},
        {"a \"$(b 'c", path, "c", "a \"$(b '", single_quotes}, {"a 'b\nc", path, "b\nc", "a '", single_quotes}});
}

TEST(CompletionWord, a_quote_opened_or_closed_within_the_last_component) {
    expect_words({{"a /usr/lo\"c", path, "/usr/loc", "a /usr/"}, {"a lo'c a", path, "loc a", "a "},
        {"a \"/usr/lo\"c", path, "/usr/loc", "a \"/usr/", double_quotes},
        {"a '/usr/lo'", path, "/usr/lo", "a '/usr/", single_quotes}, {"a '/usr/'", path, "/usr/", "a '/usr/", single_quotes},
        {"a '/usr/'lo", path, "/usr/lo", "a '/usr/", single_quotes},
        {"a '/usr/'\"lo", path, "/usr/lo", "a '/usr/", single_quotes}, {"a \"lo\"c", path, "loc", "a "},
        {"a \"lo\"'c", path, "loc", "a "}, {"a ''\"c", path, "c", "a "},
        {"a $'/u/l'x", path, "/u/lx", "a $'/u/", dollar_quotes}});
}

TEST(CompletionWord, a_path_begins_behind_an_equals_sign) {
    expect_words({{"A=", path, "", "A="}, {"A=l", path, "l", "A="}, {"A=/u/l", path, "/u/l", "A=/u/"}, {"A=~", path, "~", "A="},
        {"export A=l", path, "l", "export A="}, {"A='b c", path, "b c", "A='", single_quotes}, {"A+=l", path, "l", "A+="},
        {"a --b=l", path, "l", "a --b="}, {"a --b=/u/l", path, "/u/l", "a --b=/u/"},
        {"a --b-c=\"l", path, "l", "a --b-c=\"", double_quotes}, {"dd if=/d", path, "/d", "dd if=/"},
        {"a --b", path, "--b", "a "}, {"a 1=l", path, "1=l", "a "}, {"a b.c=l", path, "b.c=l", "a "},
        {"a ./b=l", path, "./b=l", "a ./"}, {"a \"b=l", path, "b=l", "a \"", double_quotes}, {"=l", command, "=l", ""}});
}

TEST(CompletionWord, a_path_begins_behind_a_colon_in_an_assignment) {
    expect_words({{"A=/a:", path, "", "A=/a:"}, {"A=/a:/b", path, "/b", "A=/a:/"}, {"A=a:b:c", path, "c", "A=a:b:"},
        {"A='/a':b", path, "b", "A='/a':"}, {"A='/a:/b", path, "/a:/b", "A='/a:/", single_quotes},
        {"A=/a\\:b", path, "/a:b", "A=/"}, {"A=/a:~/b", path, "~/b", "A=/a:~/"}, {"A=/a:'b", path, "b", "A=/a:'", single_quotes},
        {"A=$B:/c", path, "/c", "A=$B:/"}, {"A=${B:-d}:/c", path, "/c", "A=${B:-d}:/"}, {"a b:c", path, "b:c", "a "},
        {"scp h:/c", path, "h:/c", "scp h:/"}, {"a --b=/c:d", path, "/c:d", "a --b=/"}, {"a:b", command, "a:b", ""}});
}

TEST(CompletionWord, a_variable) {
    expect_words({{"$", variable, "", "$"}, {"$HO", variable, "HO", "$"}, {"a $HO", variable, "HO", "a $"},
        {"a ${HO", variable, "HO", "a ${", none, true}, {"a ${", variable, "", "a ${", none, true},
        {"a \"$HO", variable, "HO", "a \"$", double_quotes}, {"a \"b ${HO", variable, "HO", "a \"b ${", double_quotes, true},
        {"a foo$HO", variable, "HO", "a foo$"}, {"a /u/$HO", variable, "HO", "a /u/$"}, {"A=$_x1", variable, "_x1", "A=$"},
        {"a $b$c", variable, "c", "a $b$"}, {"a $(b $c", variable, "c", "a $(b $"}, {"a `b $c", variable, "c", "a `b $"},
        {"a $((1+$c", variable, "c", "a $((1+$"}, {">$c", variable, "c", ">$"}, {"cat <<E\n$H", variable, "H", "cat <<E\n$"}});
}

TEST(CompletionWord, what_is_no_variable) {
    expect_words({{"a '$HO", path, "$HO", "a '", single_quotes}, {"a \\$HO", path, "$HO", "a "},
        {"a $HOME/l", path, "$HOME/l", "a $HOME/"}, {"a $1b", path, "$1b", "a "}, {"a $$", path, "$$", "a "},
        {"a $$b", path, "$$b", "a "}, {"a ${b}c", path, "${b}c", "a "}, {"a $b-c", path, "$b-c", "a "},
        {"a \"\\$HO", path, "$HO", "a \"", double_quotes}, {"a \"$b/c", path, "$b/c", "a \"$b/", double_quotes},
        {"a $b c", path, "c", "a $b "}, {"a $(b /c)/d", path, "$(b /c)/d", "a $(b /c)/"}, {"a $(b /c)d", path, "$(b /c)d", "a "},
        {"a `b /c`d", path, "`b /c`d", "a "}, {"a \"$(b \"/c\")/d", path, "$(b \"/c\")/d", "a \"$(b \"/c\")/", double_quotes},
        {"a ${b:-/c", path, "${b:-/c", "a "}});
}

TEST(CompletionWord, any_bytes_are_legal) {
    expect_words({{"a \xff/\xfe", path, "\xff/\xfe", "a \xff/"}, {"a \xc3\xa4", path, "\xc3\xa4", "a "},
        {"a \x80'\x81", path, "\x80\x81", "a "}});
    for (const std::string_view part : {"a", "/", "'", "\"", "`", "\\", "$", "$(", "${a}", "$((a)", "\"$(", "a:", "a=", "$'\\",
             "$(a)", "`a`", "((a) ", "<<a\n"}) {
        std::string line = "A=";
        while (line.size() < 256 * 1024) line += part;
        EXPECT_LE(completion_word(line).start, line.size());
    }
}

std::string quote(std::string_view name, QuoteStyle style, bool complete = false) {
    return quote_completion(name, {path, "", 0, style, false}, complete);
}

TEST(QuoteCompletion, in_no_quotes) {
    struct Case {
        std::string_view name, quoted;
    };
    const std::vector<Case> table = {{"", ""}, {"a", "a"}, {"a-b_c.d+e,f@g%h/i", "a-b_c.d+e,f@g%h/i"}, {"a b", "a\\ b"},
        {"a\tb", "a\\\tb"}, {"*?[](){}<>|&;!$`'\"\\^", "\\*\\?\\[\\]\\(\\)\\{\\}\\<\\>\\|\\&\\;\\!\\$\\`\\'\\\"\\\\\\^"},
        {"~a~", "\\~a\\~"}, {"#a", "\\#a"}, {"a=b:c", "a\\=b\\:c"}, {"-a", "-a"}, {"a\nb", "a$'\\n'b"},
        {"\r\x01"
         "2\x7f",
            "$'\\r\\001'2$'\\177'"},
        {"\xc3\xa4\xff", "\xc3\xa4\xff"}, {"$\n", "\\$$'\\n'"}};
    for (const auto& [name, quoted] : table) EXPECT_EQ(quote(name, none), quoted) << escape(name);
}

TEST(QuoteCompletion, in_quotes_that_are_open) {
    struct Case {
        std::string_view name;
        QuoteStyle style;
        std::string_view quoted;
    };
    const std::vector<Case> table = {{"a b~#*", double_quotes, "a b~#*"}, {"$`\"\\!'", double_quotes, "\\$\\`\\\"\\\\!'"},
        {"a\nb", double_quotes, "a\"$'\\n'\"b"}, {"a b~#*$`\"\\!", single_quotes, "a b~#*$`\"\\!"},
        {"it's", single_quotes, "it'\\''s"}, {"a\nb", single_quotes, "a'$'\\n''b"},
        {"it's \\ \"$\n\x1b", dollar_quotes, "it\\'s \\\\ \"$\\n\\e"}, {"\xc3\xa4\xff", double_quotes, "\xc3\xa4\xff"},
        {"a\tb", double_quotes, "a\tb"}};
    for (const auto& [name, style, quoted] : table) EXPECT_EQ(quote(name, style), quoted) << escape(name);
}

TEST(QuoteCompletion, the_only_one_is_completed) {
    EXPECT_EQ(quote("a", none, true), "a ");
    EXPECT_EQ(quote("a/", none, true), "a/");
    EXPECT_EQ(quote("a", single_quotes, true), "a' ");
    EXPECT_EQ(quote("a/", single_quotes, true), "a/'");
    EXPECT_EQ(quote("a", double_quotes, true), "a\" ");
    EXPECT_EQ(quote("a/", double_quotes, true), "a/\"");
    EXPECT_EQ(quote("a", dollar_quotes, true), "a' ");
    EXPECT_EQ(quote("a\n", single_quotes, true), "a'$'\\n''' ");
}

TEST(QuoteCompletion, a_variable_gets_its_brace_or_a_blank) {
    const auto of = [](QuoteStyle style, bool braces, bool complete) {
        return quote_completion("HOME", {variable, "HO", 0, style, braces}, complete);
    };
    EXPECT_EQ(of(none, false, false), "HOME");
    EXPECT_EQ(of(none, true, false), "HOME");
    EXPECT_EQ(of(none, false, true), "HOME ");
    EXPECT_EQ(of(none, true, true), "HOME}");
    EXPECT_EQ(of(double_quotes, true, true), "HOME}");
    EXPECT_EQ(of(double_quotes, false, true), "HOME"); // a blank would be part of the word
}

TEST(QuoteCompletion, what_was_completed_is_read_as_the_name) {
    std::string name;
    for (int c = 1; c < 256; ++c) {
        if (c != '/') name += static_cast<char>(c);
    }
    for (const std::string_view before : {"a ", "a '", "a \"", "a $'", "a b/", "a 'b/", "a b/\"c", "a \"b/c\"d", "A="}) {
        const CompletionWord word = completion_word(before);
        const std::string line = std::string(before.substr(0, word.start)).append(quote_completion(name, word, false));
        const std::string directory = word.text.find('/') == std::string::npos ? "" : "b/";
        EXPECT_EQ(completion_word(line).text, std::string(directory).append(name)) << before;
    }
}

TEST(CommonPrefix, is_cut_at_a_whole_character) {
    struct Case {
        std::vector<std::string> names;
        std::string_view prefix;
    };
    const std::vector<Case> table = {{{"a"}, "a"}, {{""}, ""}, {{"abc", "abd"}, "ab"}, {{"abc", "ab"}, "ab"}, {{"a", "b"}, ""},
        {{"abc", "abc"}, "abc"}, {{"abx", "aby", "acz"}, "a"}, {{"\xc3\xa4", "\xc3\xb6"}, ""},
        {{"a\xc3\xa4x", "a\xc3\xa4y"}, "a\xc3\xa4"}, {{"a\xe2\x82\xac", "a\xe2\x82\xad"}, "a"},
        {{"a\xf0\x9f\x98\x80", "a\xf0\x9f\x98\x81"}, "a"}, {{"\xc3\xa4", "\xc3\xa4"}, "\xc3\xa4"}, {{"a\xa4", "a\xa5"}, "a"},
        {{"\xe4"
          "a",
             "\xe4"
             "b"},
            "\xe4"},
        {{"a\xc3", "a\xc3\xa4"}, "a"}, {{"\xa4\xa4\xa4\xa4", "\xa4\xa4\xa4\xa5"}, "\xa4\xa4\xa4"}};
    for (const auto& [names, prefix] : table) EXPECT_EQ(common_prefix(names), prefix) << names.front();
}

} // namespace
} // namespace rc
