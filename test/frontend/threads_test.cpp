// Several threads: tensors that are handed over, shared, dropped and read where they were not made.
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include <runtime/core/allocator.hpp>
#include <swage/swage.hpp>

namespace swage {
namespace {

// A queue of a few places between two threads.
template <class T>
class Channel {
 public:
  void push(T value) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return items_.size() < 4; });
    items_.push_back(std::move(value));
    changed_.notify_all();
  }
  T pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !items_.empty(); });
    T value = std::move(items_.front());
    items_.pop_front();
    changed_.notify_all();
    return value;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> items_;
};

struct Batch {
  Tensor images, labels;
};

Batch make_batch(int i) {
  std::vector<std::int64_t> labels;
  for (int row = 0; row < 8; ++row) labels.push_back((row * 3 + i) % 4);
  const Tensor raw = arange(64).to(DType::f32).reshape({8, 8}) * (0.01 * i);
  return {tanh(raw) + 0.5, tensor(labels, {8})};
}

std::vector<float> train(int steps, const std::function<Batch(int)>& next) {
  manual_seed(3);
  nn::Linear first(8, 16), second(16, 4);
  std::vector<Tensor> parameters = first.parameters();
  for (const Tensor& parameter : second.parameters()) parameters.push_back(parameter);
  optim::SGD optimizer(parameters, {.lr = 0.1, .momentum = 0.9});
  std::vector<float> losses;
  for (int i = 0; i < steps; ++i) {
    const Batch batch = next(i);
    Tensor loss = cross_entropy(second(relu(first(batch.images))), batch.labels);
    loss.backward();
    optimizer.step();
    losses.push_back(static_cast<float>(loss.item()));
  }
  return losses;
}

class Threads : public ::testing::Test {
 protected:
  Threads() {
    EngineOptions options = compile_soon();
    set_engine_options(options);
    forget_traces();
  }
  ~Threads() override { set_engine_options({}); }
  static EngineOptions compile_soon() {
    EngineOptions options;
    options.background = false;
    options.runs_before_compiling = 2;
    options.weigh_cost = false;
    return options;
  }
};

TEST_F(Threads, a_batch_made_by_a_loading_thread_trains_as_one_made_here) {
  constexpr int kSteps = 60;
  const std::vector<float> expected = train(kSteps, make_batch);
  for (const bool settled : {true, false}) {
    Channel<Batch> channel;
    std::thread loader([&] {
      for (int i = 0; i < kSteps; ++i) {
        Batch batch = make_batch(i);
        if (settled || i % 3 == 0) step();  // otherwise what is handed over may be deferred still
        channel.push(std::move(batch));
      }
    });
    EXPECT_EQ(train(kSteps, [&](int) { return channel.pop(); }), expected) << settled;
    loader.join();
  }
}

TEST_F(Threads, a_loading_thread_may_end_before_its_batches_are_used) {
  std::vector<Batch> batches;
  std::thread loader([&] {
    for (int i = 0; i < 12; ++i) {
      batches.push_back(make_batch(i));
      if (i < 11) step();
    }
  });
  loader.join();
  const std::vector<float> expected = train(12, make_batch);
  EXPECT_EQ(train(12, [&](int i) { return std::move(batches[static_cast<std::size_t>(i)]); }), expected);
}

TEST_F(Threads, a_new_thread_takes_over_what_an_older_one_left_deferred) {
  Tensor kept;
  for (int round = 0; round < 6; ++round) {
    std::thread([&] {
      const Tensor a = full({4}, 2.0);
      kept = tanh(a * 3) + round;
      if (round < 5) step();
    }).join();
    if (round == 5) std::thread([] { EXPECT_EQ((ones({2}) + 1)[0].item(), 2); }).join();
    EXPECT_FLOAT_EQ(static_cast<float>(kept[1].item()), std::tanh(6.0f) + static_cast<float>(round));
  }
}

TEST_F(Threads, one_that_ends_leaves_its_free_values_to_the_next) {
  std::set<const void*> seen;
  for (int i = 0; i < 100; ++i) std::thread([&] { seen.insert((ones({4}) + 1).value()); }).join();
  EXPECT_LE(seen.size(), 8u);
}

TEST_F(Threads, four_threads_serve_one_model) {
  manual_seed(5);
  nn::Linear first(8, 32), second(32, 4);
  const Tensor input = tanh(arange(64).to(DType::f32).reshape({8, 8}) * 0.02);
  const auto serve = [&] { return no_grad([&] { return softmax(second(relu(first(input))), 1); }); };
  const std::vector<float> expected = serve().to_vector<float>();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        const Tensor copy = serve();  // copies, views and drops of shared parameters, all at once
        const Tensor row = input.select(0, i % 8);
        if (copy.to_vector<float>() != expected || row.numel() != 8) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(serve().to_vector<float>(), expected);
}

TEST_F(Threads, a_tensor_may_die_anywhere) {
  const auto live = [] {
    step();
    return memory_stats().live_bytes;
  };
  const auto program = [] {
    for (int i = 0; i < 20; ++i) {
      Tensor a = full({256}, i), copy_for_thread = a, view = a.narrow(0, 3, 5);
      std::optional<Tensor> moved = a * 2;
      std::thread([copy = copy_for_thread, view, moved = std::move(*moved)]() mutable {
        Tensor another = copy;  // counted elsewhere, dropped here
        copy = Tensor();
        Tensor sum = moved + another;  // a value of this thread on values of the other
        moved = Tensor();
        EXPECT_EQ(sum[7].item(), another[7].item() * 3);
      }).join();
      moved.reset();
      if (i % 2) a = Tensor();
      EXPECT_EQ(view[0].item(), i);
    }
  };
  program();
  const auto before = live();
  for (int round = 0; round < 3; ++round) program();
  EXPECT_EQ(live(), before);
}

TEST_F(Threads, two_threads_read_what_the_other_has_deferred) {
  // Each publishes a deferred tensor and reads the other's, again and again, with nothing to order who settles whom.
  struct Slot {
    std::mutex mutex;
    Tensor tensor;
  } slots[2];
  std::atomic<int> wrong{0};
  const auto work = [&](int me) {
    const Tensor base = full({32}, me + 1);
    for (int i = 0; i < 2000; ++i) {
      Tensor mine = base * base + base;
      {
        std::lock_guard lock(slots[me].mutex);
        std::swap(slots[me].tensor, mine);
      }
      Tensor theirs;
      {
        std::lock_guard lock(slots[1 - me].mutex);
        theirs = slots[1 - me].tensor;
      }
      if (theirs.defined() && theirs[3].item() != (me ? 2 : 6)) ++wrong;
      if (i % 5 == 0) step();
    }
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(Threads, each_thread_trains_its_own_model) {
  const std::vector<float> expected = train(40, make_batch);
  std::vector<std::vector<float>> losses(4);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < losses.size(); ++t) threads.emplace_back([&, t] { losses[t] = train(40, make_batch); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& of_thread : losses) EXPECT_EQ(of_thread, expected);
}

// What one thread has deferred on a tensor of another comes before what the others do with it next.
class ThreadsShare : public Threads {
 protected:
  // Ends each round with its own handles dropped, so that rounds repeat.
  void rounds(const std::function<void(int)>& round) {
    for (int i = 0; i < 8; ++i) round(i);
    EXPECT_GT(stats().hits, hits_);
  }
  static void on_another_thread(const std::function<void()>& f) { std::thread(f).join(); }
  std::uint64_t hits_ = stats().hits;
};

TEST_F(ThreadsShare, a_write_deferred_here_is_seen_there) {
  const Tensor x = zeros({4});
  float expected = 0;
  rounds([&](int i) {
    x.add_(1);
    x.mul_(2);
    expected = (expected + 1) * 2;
    if (i > 4) on_another_thread([&] { EXPECT_EQ((x + 0).to_vector<float>(), std::vector<float>(4, expected)) << i; });
    if (i > 5) on_another_thread([&] { EXPECT_EQ(x[1].item(), expected) << i; });
    step();
  });
}

TEST_F(ThreadsShare, what_was_read_here_is_what_was_there_before_another_thread_wrote) {
  const Tensor x = zeros({4});
  rounds([&](int i) {
    const Tensor before = x * 3 + 1;
    if (i > 4) on_another_thread([&] { x.add_(1); });
    step();
    EXPECT_EQ(before.to_vector<float>(), std::vector<float>(4, i > 4 ? 3 * static_cast<float>(i - 5) + 1 : 1.0f)) << i;
  });
}

TEST_F(ThreadsShare, writes_deferred_by_a_thread_that_ended_are_not_lost) {
  const Tensor x = zeros({4});
  x.add_(0);
  float expected = 0;
  on_another_thread([&] {
    for (int i = 0; i < 8; ++i) {
      x.add_(1);
      x.mul_(2);
      expected = (expected + 1) * 2;
      if (i < 7) step();
    }
  });
  EXPECT_EQ(x.to_vector<float>(), std::vector<float>(4, expected));
}

TEST_F(ThreadsShare, two_threads_take_turns_with_a_tensor_of_a_third) {
  const Tensor x = zeros({4});
  std::mutex mutex;
  std::condition_variable changed;
  int turn = 0;
  std::vector<Tensor> kept[2];
  const auto take_turns = [&](int me) {
    for (int i = 0; i < 12; ++i) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return turn % 2 == me; });
      if (me == 0)
        x.add_(1);
      else
        x.mul_(2);
      kept[me].push_back(x * 1);
      if (i < 8 || i % 2) kept[me].push_back(sum(x));
      ++turn;
      changed.notify_all();
      if (i % 4 == 3) continue;
      lock.unlock();
      step();
    }
  };
  std::thread first(take_turns, 0), second(take_turns, 1);
  first.join();
  second.join();
  double expected = 0;
  std::size_t place[2] = {0, 0};
  for (int turns = 0; turns < 24; ++turns) {
    const int me = turns % 2, i = turns / 2;
    expected = me == 0 ? expected + 1 : expected * 2;
    EXPECT_EQ(kept[me][place[me]++][0].item(), expected) << turns;
    if (i < 8 || i % 2) {
      EXPECT_EQ(kept[me][place[me]++].item(), 4 * expected) << turns;
    }
  }
}

}  // namespace
}  // namespace swage
