// Paths: canonical, never outside the root, the same when located again, and of the place they say; compared
// with a second canonicaliser that works on a list of components.
#pragma once

#include "lib/spool/paths.h"
#include "tests/fuzz/require.h"

#include <vector>

namespace gate::fuzz {

using spool::VirtualTree;

[[nodiscard]] inline std::vector<std::string> components_of(std::string_view path) {
    std::vector<std::string> parts(1);
    for (const char c : path) {
        if (c == '/')
            parts.emplace_back();
        else
            parts.back() += c;
    }
    return parts;
}

[[nodiscard]] inline std::string join_canonically(const std::string& home, std::string_view path) {
    std::string whole = home + '/';
    if (path.starts_with('/'))
        whole.clear();
    if (path == "~" || path.substr(0, 2) == "~/")
        path = path.substr(1);
    whole += path;
    std::vector<std::string> kept;
    for (const std::string& part : components_of(whole)) {
        if (part == ".." && !kept.empty())
            kept.pop_back();
        else if (!part.empty() && part != "." && part != "..")
            kept.push_back(part);
    }
    std::string out;
    for (const std::string& part : kept)
        out += '/' + part;
    return out.empty() ? "/" : out;
}

inline void check_location(const VirtualTree& tree, std::string_view path) {
    using Place = VirtualTree::Place;
    const std::string& home = tree.home();
    const auto at = tree.locate(path);
    REQUIRE(at.path == join_canonically(home, path));
    REQUIRE(at.path.starts_with('/'));
    for (const std::string& part : components_of(at.path.substr(1)))
        REQUIRE(at.path == "/" || (!part.empty() && part != "." && part != ".."));
    REQUIRE((at.place == Place::file) == !at.name.empty());
    switch (at.place) {
    case Place::home:
        REQUIRE(at.path == "/" || at.path == home);
        break;
    case Place::directory:
        REQUIRE(at.path != "/" && home.starts_with(at.path + '/'));
        break;
    case Place::file:
        REQUIRE(at.name.find('/') == at.name.npos);
        REQUIRE(at.path == '/' + at.name || at.path == home + '/' + at.name);
        REQUIRE(path.ends_with(at.name) || path.ends_with("..")); // what was written, or what `..` left
        break;
    case Place::outside:
        REQUIRE(at.path != "/" && at.path != home && !home.starts_with(at.path + '/'));
        break;
    }
    const auto again = tree.locate(at.path);
    REQUIRE(again.path == at.path);
    // Only a final slash, which the canonical path has not, can have made a difference.
    REQUIRE(again.place == at.place || (at.place == Place::outside && again.place == Place::file));
}

inline void check_paths(std::string_view input) {
    static const VirtualTree trees[] = {VirtualTree("/var/spool/pandora/data_in"), VirtualTree("/d"),
                                        VirtualTree("/srv/a b/in")};
    for (const VirtualTree& tree : trees) {
        check_location(tree, input);
        check_location(tree, tree.home() + '/' + std::string(input));
    }
}

} // namespace gate::fuzz
