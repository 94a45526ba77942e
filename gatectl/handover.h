// One thread fills batches, another empties them. Two batches go round, so that neither side gets far ahead
// and nothing is allocated anew.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace gate::ctl {

template<class T>
class Handover {
  public:
    static constexpr std::size_t k_batch = 512;

    // `work` runs in a thread of its own, for each item. What it throws comes out of the next put(), or of
    // finish(), and the items after it are dropped.
    explicit Handover(std::function<void(T&)> work) : work_(std::move(work)), thread_([this] { run(); }) {}
    ~Handover() { stop(); }
    Handover(const Handover&) = delete;
    Handover& operator=(const Handover&) = delete;

    // The item is exchanged for one that was used before.
    void put(T& item) {
        Batch& batch = batches_[filling_];
        if (batch.used == batch.items.size())
            batch.items.emplace_back();
        std::swap(batch.items[batch.used], item);
        if (++batch.used == k_batch)
            pass_on();
    }
    // Waits until all is done.
    void finish() {
        if (batches_[filling_].used != 0)
            pass_on();
        stop();
        if (failure_)
            std::rethrow_exception(std::exchange(failure_, nullptr));
    }

  private:
    struct Batch {
        std::vector<T> items;
        std::size_t used = 0;
    };

    void pass_on() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !full_; });
        if (failure_)
            std::rethrow_exception(std::exchange(failure_, nullptr));
        full_ = true;
        filling_ = 1 - filling_;
        changed_.notify_all();
    }

    void stop() {
        if (!thread_.joinable())
            return;
        {
            const std::lock_guard lock(mutex_);
            done_ = true;
            changed_.notify_all();
        }
        thread_.join();
    }

    void run() {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return full_ || done_; });
            if (!full_)
                return;
            Batch& batch = batches_[1 - filling_];
            lock.unlock();
            std::exception_ptr failure;
            try {
                for (std::size_t i = 0; i < batch.used && !broken_; ++i)
                    work_(batch.items[i]);
            } catch (...) {
                failure = std::current_exception();
                broken_ = true;
            }
            batch.used = 0;
            lock.lock();
            if (failure)
                failure_ = failure;
            full_ = false;
            changed_.notify_all();
        }
    }

    std::function<void(T&)> work_;
    std::array<Batch, 2> batches_{};
    std::size_t filling_ = 0; // the filler's; the other one is the worker's while full_
    bool full_ = false;       // the other batch waits to be worked on, or is
    bool done_ = false;
    bool broken_ = false; // the worker's own
    std::exception_ptr failure_{};
    std::mutex mutex_{};
    std::condition_variable changed_{};
    std::thread thread_;
};

} // namespace gate::ctl
