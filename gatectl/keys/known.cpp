#include "gatectl/keys/known.h"

#include <cstring>
#include <functional>

namespace gate::ctl {

std::size_t Known::Hash::operator()(const keyring::Fingerprint& fp) const {
    std::size_t out = 0;
    std::memcpy(&out, fp.data(), sizeof out);
    return out;
}

Known::Known(Store& store) {
    store.each_name([this](const Store::Name& name) {
        static_cast<void>(take_id(name.id));
        if (const auto fingerprint = keyring::parse_fingerprint(name.fingerprint))
            add(*fingerprint, {.what = name.revoked   ? What::revoked
                                       : name.removed ? What::removed
                                                      : What::there});
    });
}

const Known::Key* Known::find(const keyring::Fingerprint& fingerprint) const {
    const auto found = keys_.find(fingerprint);
    return found == keys_.end() ? nullptr : &found->second;
}

bool Known::take_id(std::string_view id) {
    return ids_.insert(std::hash<std::string_view>{}(id)).second;
}

} // namespace gate::ctl
