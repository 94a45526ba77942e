#include "gatectl/publish/present.h"

namespace gate::ctl {

namespace {
// No honest history of publishing comes near; the store's number is signed.
constexpr std::uint64_t k_max_generation = std::uint64_t{1} << 62;
} // namespace

Present look_at(const std::string& keyring, uid_t owner) {
    Present out;
    auto reader = keyring::Reader::open(keyring.c_str(), owner);
    if (!reader) {
        out.state = reader.error().code == Errc::missing ? Present::State::none : Present::State::unusable;
        out.error = reader.error();
        return out;
    }
    if (reader->header().generation > k_max_generation) {
        out.state = Present::State::unusable;
        out.error = Error{Errc::damaged, 0, "its generation cannot be true"};
        return out;
    }
    out.state = Present::State::good;
    out.generation = reader->header().generation;
    if (auto policy = reader->policy())
        out.policy = std::move(*policy);
    out.reader = std::move(*reader);
    return out;
}

} // namespace gate::ctl
