#include "gatectl/setup/wishes.h"

#include <fmt/format.h>

namespace gate::ctl::setup {

namespace {

class Keeping {
  public:
    // True if the earlier wish took the place of what nobody has said.
    template<class T>
    [[nodiscard]] static bool keeps(T& now, const T& standard, const T& earlier, bool said) {
        if (said || now != standard || earlier == standard)
            return false;
        now = earlier;
        return true;
    }
    void add(const std::string& option, const char* other) {
        text_ += fmt::format("{}{} (or say {})", text_.empty() ? "kept from the setup before: " : ", ",
                             option, other);
    }
    [[nodiscard]] const std::string& text() const { return text_; }

  private:
    std::string text_{};
};

} // namespace

std::string keep_wishes(Request& request, const Manifest& manifest) {
    if (!manifest.wishes || !request.wants("ssh"))
        return {};
    const SshWishes standard;
    const SshWishes& earlier = *manifest.wishes;
    SshWishes& now = request.ssh;
    Keeping kept;
    if (Keeping::keeps(now.sizes.agents, standard.sizes.agents, earlier.sizes.agents, request.said.agents))
        kept.add(fmt::format("--agents {}", now.sizes.agents), "another number");
    if (Keeping::keeps(now.sizes.interval, standard.sizes.interval, earlier.sizes.interval,
                       request.said.interval))
        kept.add(fmt::format("--interval {}", now.sizes.interval), "another");
    if (now.own_port != 0 && Keeping::keeps(now.legacy_clients, standard.legacy_clients,
                                            earlier.legacy_clients, request.said.legacy_clients))
        kept.add("--legacy-clients", "--no-legacy-clients");
    if (Keeping::keeps(now.enrolment, standard.enrolment, earlier.enrolment, request.said.enrolment))
        kept.add("--no-enrolment", "--enrolment");
    return kept.text();
}

} // namespace gate::ctl::setup
