// Whether a shell would ask for a further line.
#include "client/shell_syntax.hpp"

#include "common/bytes.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

using Texts = std::vector<std::string_view>;

void expect_open(const Texts& texts) {
    for (const auto text : texts) EXPECT_TRUE(needs_more(text)) << escape(text);
}

void expect_whole(const Texts& texts) {
    for (const auto text : texts) EXPECT_FALSE(needs_more(text)) << escape(text);
}

// Every text is whole, and open if it is cut at one of its newlines.
void expect_whole_at_its_end(const Texts& texts) {
    for (const auto text : texts) {
        EXPECT_FALSE(needs_more(text)) << escape(text);
        for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', end + 1)) {
            EXPECT_TRUE(needs_more(text.substr(0, end))) << escape(text.substr(0, end));
        }
    }
}

TEST(NeedsMore, a_simple_command_is_whole) {
    expect_whole(
        {"", " ", "\t", "\n", "\n\n", "ls", "ls -l /", "ls; pwd", "ls;", "sleep 1 &", "a && b", "a || b", "a | b", "a |& b",
            "a=1", "a=1 b=2 env", "> f", "< f cat", "echo a 2>&1 >/dev/null", "cat <&3", "cat <>f", "echo >|f", "echo a &>f",
            "! true", "time ls", "exec 3<&-", "a 2> f && b", "echo \"a b\" 'c d' `e` $(f) $'g\\'' ${h} $((1))", "a\nb\nc"});
}

TEST(NeedsMore, quotes) {
    expect_open(
        {"'", "\"", "`", "$'", "$\"", "echo 'a", "echo \"a", "echo `a", "echo $'a", "echo $'a\\'", "echo 'a\\'b'", "echo \"a\\\"",
            "echo `a\\`", "echo 'a\nb", "echo \"a\nb", "echo \"'", "echo '\"", "a='", "echo \"a`b", "echo \"$'\"'", "'a' 'b' '"});
    expect_whole({"''", "\"\"", "``", "$''", "echo 'a\\'", "echo \"a\\\\\"", "echo \"'\"", "echo '\"'", "echo \\'", "echo \\\"",
        "echo \\`", "echo \"it's\"", "echo 'a\nb'", "echo \"a\n\nb\"", "echo `echo \\`b\\``", "echo \"`echo '`\"",
        "echo $'a\\'b'", "echo \"$'\"", "echo a'b'\"c\"d"});
}

TEST(NeedsMore, expansions) {
    expect_open({"echo $(", "echo $(a", "echo \"$(a\"", "echo \"$(a", "echo ${", "echo ${a", "echo ${a:-", "echo \"${a\"",
        "echo $((1", "echo $((1)", "echo $(((1))", "echo $[1", "echo $(a $(b)", "echo ${a:-${b}", "echo ${a:-'}'",
        "echo \"$(echo \"a)\"", "echo $(echo ')'", "x=$(ls", "cat <(", "cat <(ls", "tee >(cat", "a <(b) >(c", "cat < <(ls"});
    expect_whole({"echo $()", "echo $(a)", "echo \"$(a)\"", "echo ${a}", "echo ${a:-b}", "echo \"${a:-it's}\"", "echo ${a:-'}'}",
        "echo ${a:-\\}}", "echo $((1))", "echo $(((1)))", "echo $[1]", "echo $(a $(b))", "echo ${a:-${b}}",
        "echo \"$(echo \"a\")\"", "echo $(echo ')')", "echo \"${a//'\"'/}\"", "echo \"${a#'}'}\"", "cat <(ls)", "tee >(cat)",
        "cat < <(ls)", "echo $", "echo \"$\"", "echo $$", "echo a$", "echo $(\nls\n)", "echo $(ls;)", "echo $$(",
        "echo \"${a:-\"b\"}\""});
}

TEST(NeedsMore, what_looks_like_a_comment_or_a_here_document_in_an_expansion_is_none) {
    expect_whole({"echo $#", "echo ${#x}", "echo ${x#y}", "echo ${x##*/}", "echo \"$#\"", "echo a#b", "echo $((1<<2))",
        "((x<<2))", "((x<<=2))", "echo $((16#ff))", "echo $[1<<2]", "for ((i=1<<2; i<9; i++)); do echo; done", "cat <<<a",
        "cat <<< 'a b'", "cat <<<$x"});
}

TEST(NeedsMore, arithmetic_or_two_subshells) {
    expect_open({"((", "((1", "((1)", "((1+(2))", "((a); b", "((a); (b)", "$((a); b", "((a", "(((1)) ", "((a) | (b)"});
    expect_whole({"((1))", "((1+(2)))", "((a); b)", "((a); (b))", "echo $((a); b)", "((a) )", "((a) | (b))", "(((1)); b)",
        "if ((1)); then a; fi", "((a)) && b", "(( 1 )) || ((2))", "((cat <<E); b)\nx\nE"});
    expect_open({"((cat <<E); b)\nx"});
}

TEST(NeedsMore, a_trailing_backslash) {
    expect_open({"\\", "echo \\", "echo a\\", "echo \\\\\\", "echo \"a\\", "a\n\\", "echo 'a' \\"});
    expect_whole({"\\\\", "echo \\\\", "echo \\\\\\\\", "echo 'a\\'", "# a \\", "echo a # \\", "echo a \\\nb", "echo a\\ "});
}

TEST(NeedsMore, a_trailing_operator) {
    expect_open({"a &&", "a ||", "a |", "a |&", "a && ", "a &&\n", "a | # b", "a &&\n\n", "a && b |", "a; b &&", "(a) |",
        "a >f &&", "echo $(a) |", "a & b |"});
    expect_whole({"a &", "a;", "a & b", "a &&\nb", "a |\n\nb", "a &&\n# c\nb", "a | # b\nc", "a && >f", "a && (b)"});
}

TEST(NeedsMore, comments_hide_everything) {
    expect_whole({"#", "# '", "#'", "a # \"", "a #'", "a;# (", "a && b # if", "(a) # `", "# a\n# <<E", "# a &&", "# case x in",
        "{ a; # }\n}"});
    expect_open({"( # )", "{ a; # }", "if a # ; then b; fi", "echo $(a # )", "a# '", "a \\#'"});
}

TEST(NeedsMore, compound_commands) {
    expect_whole_at_its_end({"(\na\nb\n)", "{\na\n}", "if\na\nthen\nb\nfi", "if a\nthen b\nelif c\nthen d\nelse e\nfi",
        "while\na\ndo\nb\ndone", "until a\ndo b\ndone", "for x\ndo\na\ndone", "for x in 1 2\ndo\na\ndone",
        "for x\nin 1 2\ndo a; done", "select x in 1 2\ndo a; done", "for ((i=0;\ni<3; i++))\ndo a; done", "[[ a &&\nb ]]",
        "((1 +\n2))", "f()\n{\na\n}", "f() {\na; }", "function f\n{\na; }", "function f {\na; }", "function f()\n(\na)",
        "f() (\na)", "f()\nif a; then\nb; fi", "a=(\n1\n2\n)", "a=(1 # )\n2)", "declare -a a=(1\n2)", "a+=(1\n2)", "a | {\nb\n}",
        "a && if b\nthen c; fi", "! {\na; }", "time {\na; }", "echo $(if a\nthen b\nfi)", "echo \"$(\n(a\n) )\"", "{ {\na; } }",
        "if { a\n}; then (b\n) fi", "cat <(while a\ndo b; done)", "if(a\n)then b; fi", "coproc {\na; }",
        "if a; then b; else\nif c; then d\nfi; fi"});
}

TEST(NeedsMore, compound_commands_on_one_line) {
    expect_open({"if", "if a", "if a;", "if a; then", "if a; then b", "if a; then b;", "if a; then b; else", "if a; then b; elif",
        "if a; then b; elif c", "while a", "while a; do", "while a; do b;", "until a; do b", "for x", "for x in", "for x in a b",
        "for x in a;", "for x in a; do b", "for x; do", "for ((;;))", "for ((;;)) do", "for ((", "select x in a", "{ a", "{ a }",
        "(a", "( (a)", "(a;", "[[", "[[ a", "[[ a == b", "[[ a ]", "[[ (a || b) &&", "f()", "f ()", "f() {", "f() { a",
        "function f", "function f()", "function f {", "a; if b", "a & if b", "a && if b", "a || if b", "a | if b", "! if b",
        "{ if b;", "(if b", "$(if b", "if if a; then b; fi", "while if a; then b; fi; do", "if true; then for x in a; do b; done",
        "time if a", "do_it() { if a; then b; fi"});
    expect_whole({"if a; then b; fi", "if a; then b; elif c; then d; else e; fi", "while a; do b; done", "until a; do b; done",
        "for x; do a; done", "for x do a; done", "for x in; do a; done", "for x in a b; do c; done", "for ((;;)); do a; done",
        "for ((;;)) { a; }", "for x in a; { b; }", "select x in a; do b; done", "{ a; }", "{ a; } >f 2>&1", "(a)", "( (a) )",
        "(a;)", "(a) | (b)", "[[ a ]]", "[[ a < b ]]", "[[ a == @(b|c) ]]", "[[ (a || b) && ! c ]]", "[[ a =~ ^(b|c)$ ]] && d",
        "[[ a ]];", "[[ a ]]|b", "f() { a; }", "f () { a; }", "f( ) (a)", "function f { a; }", "function f() { a; }", "f() a",
        "{ { a; } }", "if (a) then b; fi", "if a; then b; fi | c", "while a; do b; done <f", "if a; then b; fi; c", "(a)&",
        "{(a)}", "a=()", "a=(1 2)", "a=([1]=b [2]=(c))", "a[1]=(b)", "if a; then b; fi && c"});
}

TEST(NeedsMore, a_case_and_its_patterns) {
    expect_whole_at_its_end({"case x\nin\na) b ;;\n(c) d\n;;\ne|f) g;;\nesac", "case x in\n*) ;;\nesac", "case x in a)\nesac",
        "case $x in\n'a b'|\"c\") if d\nthen e; fi ;;\nesac", "echo $(case x in\na) b;;\n(c|d) e;;\nesac)",
        "case x in\na) case y in\nb) c;;\nesac;;\nesac", "case x in\na) b ;&\nc) d ;;&\nesac", "case x in\n@(a|b)) c;;\nesac",
        "case x in # )\na) b # ;; esac\nesac", "case x in\nif) a;;\nfi) b;;\n(esac) c;;\nesac"});
    expect_open({"case x", "case x in", "case x in a)", "case x in a) b", "case x in a) b;", "case x in a) b;;",
        "case x in (a) b", "case x in a) (b", "(case x in a) b;; esac", "case x in a) echo esac", "case x in (esac) a",
        "case x in a) b ;; # esac"});
    expect_whole({"case x in esac", "case x in a) b;; esac", "case x in (a) b;; esac", "case x in a|b) c;; esac",
        "case x in a | b ) c;; esac", "case x in a) b; esac", "case x in a) esac", "case x in a) ;; b) ;; esac",
        "case x in a) echo case;; esac", "case in in in) a;; esac", "case x in a) (b);; esac",
        "case x in (a|@(b|c)|d'e f') g;; esac", "case x in [a-c]*) d;; \\)) e;; ')') f;; esac", "case x in $(a)) b;; esac",
        "case x in a) b;; esac | c"});
}

TEST(NeedsMore, a_here_document_until_its_end_line) {
    expect_whole_at_its_end({"cat <<E\na\nb\nE", "cat <<-E\n\ta\n\tE", "cat <<-E\nE", "cat <<'E F'\na\nE F", "cat <<\"E\"\na\nE",
        "cat <<\\E\na\nE", "cat << E\na\nE", "cat <<E <<F\na\nE\nb\nF", "cat <<'' \na\n\nb", "cat <<E; b\nE", "cat <<E | sort\nE",
        "cat <<E &&\nE\nb", "cat 3<<E\nE", "<<E cat\nE", "cat <<E\nif (a\n'\"`$(${\nE", "cat <<'E'\na\\\nE", "cat <<E\na\\\\\nE",
        "x=$(cat <<E\na\nE\n)", "echo \"$(cat <<E\n\"\nE\n)\"", "(cat <<E\na\nE\n)", "while a; do b; done <<E\nc\nE",
        "cat <<E # '\nE", "cat <<E 'a\nb'\nE", "if a; then cat <<E\nb\nE\nfi", "f() { cat <<E\nE\n}", "cat <<E\n E\nE \nEE\nE",
        "cat <<-'E'\n\t\tE", "cat <<E\\F\nEF", "cat <<E\n#\nE", "{ cat <<E; }\nE", "cat <<E \\\n-n\nE",
        "cat <<E | while a\nb\nE\ndo c; done", "cat <<E | {\nb\nE\nc\n}", "cat <<E | (\nE\nc)", "cat <<E; if a; then\nE\nb; fi",
        "cat <<E $(a\nb)\nE", "cat <<E $({ a <<F; }\nF\n)\nE"});
    expect_open({"cat <<E", "cat <<E\nE\\", "cat <<E\na\\\nE", "cat <<E\n\tE", "cat <<-E\n E", "cat <<E\ne", "cat <<E <<F\nE",
        "cat <<E <<F\nF\nE", "cat <<$E\nE", "cat <<E\nE\ncat <<F"});
    expect_whole({"cat <<E\na\\\nE\nE", "cat <<E\na\nE\n", "echo a << b >c\nb", "cat <<E\n$(\nE", "echo '<<E'", "echo \\<\\<E",
        "echo a # <<E"});
}

TEST(NeedsMore, reserved_words_count_only_where_a_command_may_begin) {
    expect_whole({"echo if", "echo for do", "echo {", "echo case in", "ls done", "echo [[", "echo while", "echo function",
        "echo }", "echo then fi", "a=1 if", ">f if", "'if'", "\\if", "\"{\"", "i\"f\"", "if=1", "iffy", "$if", "./if", "{a,b}",
        "{}", "find -exec rm {} +", "in", "]]", "sudo if", "echo a if b", "echo ! {", "case=1", "cat <if", "for_each",
        "echo $(echo if)", "[ if ]", "do=1; done=2"});
    expect_open({"a; if", "a\nif", "a && {", "a | while", "(if", "{ {", "! {", "a & case x", "a # b\nif", "echo $(if", "i\\\nf",
        "if a\nthe\\\nn b"});
    expect_whole({"if a; the\\\nn b; f\\\ni", "if a; then echo fi; fi", "while a; do echo done; done", "{ echo }; }",
        "if a; then b; \\\nfi"});
}

TEST(NeedsMore, what_is_wrong_needs_no_more) {
    expect_whole({"fi", "done", "}", ")", ";;", "esac", "then", "do", "else", "elif", "a; fi", "a\ndone", "a )", "( a ))",
        "(a; }", "{ a; )", "if a; done", "if a; then b; done", "while a; then", "for x in a; done", "case x in )", "case x y",
        "case x in a; b", "case x in a b)", "case x in (a b", "case x in a|b c)", "case x in |a) b", "case x in a|) b",
        "case x in () a", "for x y", "for x in a &", "; a", "& a", "| a", "&& a", "a && && b", "a ; ; b", "a || | b", "a ;; b",
        "(a) b", "(a) if", "{ a; } b", "( )", "( ) {", "if; then", "then; if a", "a=(1; 2", "a=(1 & 2", "cat <\ncat <<E",
        "cat >; if a", "for\nx in", "case\nx in", "case x in a\n", "[[ a; b", "if a; then b; fi fi (", "echo (a", "echo a (b",
        "echo *(a", "f(", "f(a", "f( a", "fi; if a", ") 'a", "case x in a) fi", "for (a) b (", "for ((a); b", "function\nf {",
        "done <<E", "do {", "! fi {", "if a; fi", "}; {", "$(fi", "\"$(a; fi"});
}

TEST(NeedsMore, parentheses_of_functions_and_patterns) {
    expect_whole(
        {"f() { a; }; f", "f(){ a; }", "f()\n\n{ a; }", "ls *.@(a|b)", "ls !(a)", "ls +([0-9])", "ls @(a|@(b|c))", "ls *(.)",
            "ls a(b|c)d", "ls (a|b)", "rm -f ?('a)'|b)", "if [[ a == +(b) ]]; then c; fi", "ls @($(a)|b)", "@(a|b) c", "!(a)"});
    expect_open({"f()", "f() # a", "f()\n", "ls *.@(a|b) &&", "f() { ls @(a|b)", "ls @(a|b) |", "@(a|b) 'c"});
}

TEST(NeedsMore, any_bytes_are_legal) {
    expect_whole({"\xff\xfe", "echo \xc3\xa4\xc3", "echo '\x80\x81'", "\x01\x7f", "echo \r", "echo a\r\nb", "\xa0 if", "$\xff",
        "${\xff}"});
    expect_open({"echo '\xff", "echo \"\xc3", "\xff() {", "cat <<\xff\n\xfe", "${\xff"});
    EXPECT_FALSE(needs_more({"a\0b", 3}));
    std::string all;
    for (int c = 1; c < 256; ++c) all += static_cast<char>(c);
    for (std::size_t at = 0; at < all.size(); ++at) {
        for (const char c : all) static_cast<void>(needs_more(std::string{all[at], c, 'a'}));
    }
}

// Were the time of any of these quadratic, or the stack used for depth, it would not come to an end.
TEST(NeedsMore, long_and_deep_text_takes_its_linear_time) {
    constexpr std::size_t size = 256 * 1024;
    for (const std::string_view part :
        {"a", " ", "(", "((", "( ", "$(", "$((", "${", "\"$(", "\"${", "{ ", "if ", "while a; do ", "a=(", "[[ ", "`", "$'",
            "<<a ", "<<a\n", "<(", "case x in (", "case x in a) ", "@(", "f()", "f ( ", "\\\n", "a\\\n", "$[", "for ((", "((a)b;",
            "$((a) ", "a|", "!", "#", "'", "\"", "\\", "x\n", "; ", ")", "\"${#", "{a}>", "1", "a:", "$"}) {
        std::string text;
        while (text.size() < size) text += part;
        static_cast<void>(needs_more(text));
        static_cast<void>(shell_place(text));
    }
}

TEST(ExpansionEnd, is_behind_the_bracket_or_quote) {
    struct Case {
        std::string_view text;
        std::size_t end;
    };
    const std::vector<Case> table = {{"$(a)b", 4}, {"${a}b", 4}, {"$((1))b", 6}, {"$((a);b)c", 8}, {"`a`b", 3}, {"$a", 1},
        {"$", 1}, {"$(a", 3}, {"${a:-$(b)}c", 10}, {"`a", 2}, {"$(echo \")\")b", 11}, {"$[1]a", 4}};
    for (const auto& [text, end] : table) {
        EXPECT_EQ(expansion_end(text, 0, false), end) << text;
        EXPECT_EQ(expansion_end(text, 0, true), end) << text;
    }
    EXPECT_EQ(expansion_end("${a:-'}'}", 0, false), 9U);
    EXPECT_EQ(expansion_end("${a:-'}'}", 0, true), 7U);
    EXPECT_EQ(expansion_end("a$(b)", 1, false), 5U);
}

} // namespace
} // namespace rc
