// One setup at a time: two that plan and write at once would each take the other's half for what was there
// before.
#pragma once

#include "gatectl/setup/place.h"
#include "lib/base/fd.h"

namespace gate::ctl::setup {

// Holds the directory of setup's state, which only root can open. A directory that is empty at the end goes.
class Lock {
  public:
    // Throws Problem (busy): another setup is running.
    explicit Lock(Place& place);
    ~Lock();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

  private:
    Place& place_;
    bool made_above_ = false;
    Fd fd_{};
};

} // namespace gate::ctl::setup
