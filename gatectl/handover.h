// One thread fills batches, another empties them. A few batches go round, so that neither side waits for a
// short delay of the other, neither gets far ahead, and nothing is allocated anew.
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

    // An item, new or used before, to be filled in; put() passes it on.
    [[nodiscard]] T& room() {
        Batch& batch = batches_[filling_];
        return batch.items[batch.used];
    }
    void put() {
        if (++batches_[filling_].used == k_batch)
            pass_on();
    }
    // The item is exchanged for one that was used before.
    void put(T& item) {
        std::swap(room(), item);
        put();
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
        std::vector<T> items = std::vector<T>(k_batch);
        std::size_t used = 0;
    };

    void pass_on() {
        std::unique_lock lock(mutex_);
        ++full_;
        filling_ = (filling_ + 1) % k_batches;
        changed_.notify_all();
        changed_.wait(lock, [this] { return full_ < k_batches; });
        if (failure_)
            std::rethrow_exception(std::exchange(failure_, nullptr));
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
            changed_.wait(lock, [this] { return full_ != 0 || done_; });
            if (full_ == 0)
                return;
            Batch& batch = batches_[working_];
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
            --full_;
            working_ = (working_ + 1) % k_batches;
            changed_.notify_all();
        }
    }

    std::function<void(T&)> work_;
    static constexpr std::size_t k_batches = 4;
    std::array<Batch, k_batches> batches_{};
    std::size_t filling_ = 0; // the filler's own
    std::size_t working_ = 0; // the worker's own
    std::size_t full_ = 0;    // batches that wait to be worked on, or are
    bool done_ = false;
    bool broken_ = false; // the worker's own
    std::exception_ptr failure_{};
    std::mutex mutex_{};
    std::condition_variable changed_{};
    std::thread thread_;
};

} // namespace gate::ctl
