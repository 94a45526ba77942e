#include "forcecmd/front/enrol/stdin_key.h"

#include "forcecmd/front/enrol/key_text.h"

namespace gate::drop::enrol {

using gate::enrol::Answer;
using spool::Reason;

void StdinKey::feed(std::string_view bytes, std::string& out) {
    if (finished_)
        return;
    // What never ends is not waited for.
    if (bytes.size() > k_max_key_text - text_.size()) {
        refuse(Reason::enrol_large, out);
        return;
    }
    text_ += bytes;
}

void StdinKey::end_of_input(std::string& out) {
    if (finished_)
        return;
    const auto key = only_key(text_);
    if (!key) {
        refuse(key.error(), out);
        return;
    }
    const gate::enrol::Reply reply = desk_.hand_over(*key);
    out += reply.text;
    out += '\n';
    status_ = reply.answer == Answer::refused ? 1 : 0;
    finished_ = true;
}

void StdinKey::interrupt(Reason why, std::string& out) {
    if (!finished_)
        refuse(why, out);
}

void StdinKey::refuse(Reason why, std::string& out) {
    desk_.refused(why, what_);
    out += spool::sentence(why);
    out += '\n';
    finished_ = true;
}

} // namespace gate::drop::enrol
