#include "lib/spool/paths.h"

namespace gate::spool {

namespace {

// Appends the components of `path` to the canonical `out` ("" stands for "/"); `..` stops at the root.
void append_components(std::string& out, std::string_view path) {
    while (!path.empty()) {
        const std::size_t slash = path.find('/');
        const std::string_view part = path.substr(0, slash);
        path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
        if (part.empty() || part == ".")
            continue;
        if (part == "..") {
            out.resize(out.empty() ? 0 : out.rfind('/'));
            continue;
        }
        out += '/';
        out += part;
    }
}

} // namespace

std::string VirtualTree::canonical(std::string_view path) const {
    std::string out;
    if (path == "~" || path.starts_with("~/"))
        path.remove_prefix(path.size() == 1 ? 1 : 2);
    else if (path.starts_with('/')) {
        append_components(out, path);
        return out.empty() ? "/" : out;
    }
    append_components(out, home_);
    append_components(out, path);
    return out.empty() ? "/" : out;
}

VirtualTree::Location VirtualTree::locate(std::string_view path) const {
    Location out{Place::outside, canonical(path), {}};
    const std::string& at = out.path;
    if (at == home_ || at == "/") {
        out.place = Place::home;
    } else if (home_.starts_with(at) && home_[at.size()] == '/') {
        out.place = Place::directory;
    } else {
        const std::size_t slash = at.rfind('/');
        const std::string_view parent = std::string_view(at).substr(0, slash);
        const bool below =
            flatten_ && parent.starts_with(home_) && parent.substr(home_.size()).starts_with('/');
        // `x/` names a directory: it is no file, also when x would be a fine name.
        if ((parent.empty() || parent == home_ || below) && !path.ends_with('/') && !path.ends_with("/.")) {
            out.place = Place::file;
            out.name = at.substr(slash + 1);
        }
    }
    return out;
}

} // namespace gate::spool
