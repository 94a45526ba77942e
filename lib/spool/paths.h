// Paths as a client sees them: a virtual tree that holds data_in, the directories above it, and nothing else.
// All lexical: no answer depends on what is on the disk.
#pragma once

#include <string>
#include <string_view>

namespace gate::spool {

class VirtualTree {
  public:
    enum class Place {
        home,      // data_in itself, which is also what `/`, `.`, `~` and the empty path mean for a drop
        directory, // another directory above data_in
        file,      // a name directly in data_in (or in `/`); flattened: anywhere below it
        outside,   // anything else
    };
    struct Location {
        Place place = Place::outside;
        std::string path; // canonical, absolute
        std::string name; // for Place::file
    };

    // `home`: data_in's path, absolute and clean. `flatten`: what clients put into directories below it is
    // taken as if it lay in data_in itself (drop.recursive).
    explicit VirtualTree(std::string home, bool flatten = false)
        : home_(std::move(home)), flatten_(flatten) {}

    [[nodiscard]] Location locate(std::string_view path) const;
    [[nodiscard]] const std::string& home() const { return home_; }
    [[nodiscard]] bool flattens() const { return flatten_; }

  private:
    [[nodiscard]] std::string canonical(std::string_view path) const;
    std::string home_;
    bool flatten_;
};

} // namespace gate::spool
