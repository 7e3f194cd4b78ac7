// The demo: handwritten digits, learned from four fifths of the images and read off the fifth that was held out.
#pragma once

#include <bench/harness/workload.hpp>
#include <swage/swage.hpp>

namespace swage::bench {

class Digits final : public Workload {
 public:
  explicit Digits(const WorkloadOptions& options);

  StepOutputs step() override;  // outputs: the logits (32,10)
  std::int64_t units_per_step() const override;
  WorkloadState state() override;
  void load_state(const WorkloadState& state) override;
  std::map<std::string, double> figures() override;  // accuracy on the held-out images

  nn::Sequential& model() { return model_; }
  const data::Digits& held_out() const { return parts_.held_out; }
  const Tensor& batch_labels() const { return batch_labels_; }  // of the last step

 private:
  struct Parts {
    data::Digits train, held_out;
  };
  static Parts load(const WorkloadOptions& options);

  Parts parts_;
  nn::Sequential model_;
  optim::SGD optimizer_;
  data::Batches batches_;
  data::HostRandom shifts_, sizes_;
  bool random_sizes_;
  std::int64_t batch_;
  Tensor batch_labels_;
};

// The classes (i64) that a network gives to images, in evaluation and without a tape. The network is left in training mode.
Tensor predict(nn::Sequential& model, const Tensor& images);

}  // namespace swage::bench
