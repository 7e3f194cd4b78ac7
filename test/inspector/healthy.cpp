#include <programs.hpp>

#include <swage/swage.hpp>

void swage::inspector::healthy_training() {
  manual_seed(1);
  nn::Linear first(64, 256), second(256, 10);
  std::vector<Tensor> parameters = first.parameters();
  for (const Tensor& parameter : second.parameters()) parameters.push_back(parameter);
  optim::Adam adam(parameters, {.lr = 1e-3});
  const Tensor x = randn({64, 64}), labels = randint(0, 10, {64});
  double total = 0;
  while (running()) {
    const Tensor loss = cross_entropy(second(relu(first(x))), labels);
    adam.zero_grad();
    loss.backward();
    adam.step();
    total += loss.item();
  }
}

void swage::inspector::healthy_evaluation() {
  manual_seed(1);
  nn::Linear first(64, 256), second(256, 10);
  const NoGradGuard no_grad;
  double total = 0;
  for (int batch = 0; running(); ++batch) {
    const Tensor score = mean(second(relu(first(randn({batch % 7 == 6 ? 17 : 64, 64})))));
    total += score.item();
  }
}
