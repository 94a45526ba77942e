#include "lib/spool/words.h"

namespace gate::spool {

namespace {

// Unquoted, each of these makes a shell do something else than take the character.
constexpr std::string_view k_special = "`$;|&<>()*?[\n";
// In double quotes a backslash quotes only these.
constexpr std::string_view k_double_quoted_escapes = "$`\"\\\n";

class Splitter {
  public:
    [[nodiscard]] bool take(char c) {
        switch (state_) {
        case State::plain:
            return take_plain(c);
        case State::escaped:
            state_ = State::plain;
            if (c != '\n') // backslash-newline is a line continuation
                append(c);
            return true;
        case State::single_quoted:
            if (c == '\'')
                state_ = State::plain;
            else
                word_ += c;
            return true;
        case State::double_quoted:
            return take_double_quoted(c);
        case State::double_escaped:
            state_ = State::double_quoted;
            if (k_double_quoted_escapes.find(c) == std::string_view::npos)
                word_ += '\\';
            if (c != '\n')
                word_ += c;
            return true;
        }
        return false;
    }

    [[nodiscard]] std::optional<std::vector<std::string>> finish() {
        if (state_ != State::plain || !end_word())
            return std::nullopt;
        return std::move(words_);
    }

  private:
    enum class State { plain, escaped, single_quoted, double_quoted, double_escaped };

    void append(char c) {
        word_ += c;
        in_word_ = true;
    }

    [[nodiscard]] bool end_word() {
        if (!in_word_)
            return true;
        if (words_.size() == k_max_words)
            return false;
        words_.push_back(std::move(word_));
        word_.clear();
        in_word_ = false;
        return true;
    }

    [[nodiscard]] bool take_plain(char c) {
        if (c == ' ' || c == '\t')
            return end_word();
        if (k_special.find(c) != std::string_view::npos || (c == '#' && !in_word_))
            return false;
        if (c == '\\') {
            state_ = State::escaped;
        } else if (c == '\'' || c == '"') {
            state_ = c == '"' ? State::double_quoted : State::single_quoted;
            in_word_ = true; // "" is a word
        } else {
            append(c);
        }
        return true;
    }

    [[nodiscard]] bool take_double_quoted(char c) {
        if (c == '$' || c == '`')
            return false;
        if (c == '"')
            state_ = State::plain;
        else if (c == '\\')
            state_ = State::double_escaped;
        else
            word_ += c;
        return true;
    }

    State state_ = State::plain;
    std::string word_;
    bool in_word_ = false;
    std::vector<std::string> words_;
};

} // namespace

std::optional<std::vector<std::string>> split_words(std::string_view line) {
    if (line.size() > k_max_command || line.find('\0') != std::string_view::npos)
        return std::nullopt;
    Splitter splitter;
    for (const char c : line) {
        if (!splitter.take(c))
            return std::nullopt;
    }
    return splitter.finish();
}

} // namespace gate::spool
