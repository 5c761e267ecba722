"""The two networks in PyTorch, and their training: fixed seeds, one thread, the same weights every time."""

import numpy as np
import torch
from torch import nn

from hwconv.demo.digits import CLASSES, NOISE, Digits, Images

HIDDEN = 48
"""The classifier's last features, which Monte-Carlo dropout drops."""
PROBABILITY = 0.25
"""Of dropout."""
SMOOTHING = 0.1
"""Of labels: what the nine wrong classes get together, and the right one's share of it."""
EPOCHS, DENOISER_EPOCHS = 60, 150
BATCH = 50
RATE = 2e-3


def classifier(dropout: bool) -> nn.Sequential:
    """A standard, a dilated, a depthwise separable and a grouped convolution; 8 x 8 pixels in, ten values out."""
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(12, 16, 3, padding=2, dilation=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 16, 3, padding=1, groups=16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1, stride=2, groups=4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 2 * 2, HIDDEN),
        nn.ReLU(),
        nn.Dropout(PROBABILITY if dropout else 0),
        nn.Linear(HIDDEN, CLASSES),
    )


def denoiser() -> nn.Sequential:
    """An encoder of two strided convolutions, a decoder of two transposed ones; the last layer clips to a picture."""
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(12, 20, 3, padding=1, stride=2),
        nn.ReLU(),
        nn.Conv2d(20, 32, 3, padding=1, stride=2),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 20, 4, padding=1, stride=2),
        nn.ReLU(),
        nn.ConvTranspose2d(20, 12, 4, padding=1, stride=2),
        nn.ReLU(),
        nn.Conv2d(12, 1, 3, padding=1),
        nn.Hardtanh(0, 1),
    )


def train_classifier(digits: Digits, *, dropout: bool, smoothing: bool, seed: int) -> nn.Sequential:
    """The classifier after :data:`EPOCHS` epochs."""
    _deterministic(seed)
    network = classifier(dropout)
    loss = nn.CrossEntropyLoss(label_smoothing=SMOOTHING if smoothing else 0)
    labels = torch.from_numpy(digits.labels.astype(np.int64))
    _train(network, torch.from_numpy(digits.images), labels, loss, EPOCHS)
    return network


def train_denoiser(digits: Digits, *, seed: int) -> nn.Sequential:
    """The encoder-decoder after :data:`DENOISER_EPOCHS` epochs; every batch gets fresh noise."""
    _deterministic(seed)
    network = denoiser()
    clean = torch.from_numpy(digits.images)
    _train(network[:-1], clean, clean, nn.MSELoss(), DENOISER_EPOCHS, noise=NOISE)
    return network


def answers(network: nn.Module, images: Images) -> Images:
    """What a network gives without dropout."""
    network.eval()
    with torch.no_grad():
        found: Images = network(torch.from_numpy(images)).numpy()
    return found


def _deterministic(seed: int) -> None:
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def _train(
    network: nn.Module, x: torch.Tensor, y: torch.Tensor, loss: nn.Module, epochs: int, noise: float = 0
) -> None:
    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-2)
    steps = -(-len(x) // BATCH) * epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2 * RATE, total_steps=steps)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(BATCH):
            given = x[batch]
            if noise:
                given = (given + noise * torch.randn_like(given)).clamp(0, 1)
            optimiser.zero_grad()
            loss(network(given), y[batch]).backward()
            optimiser.step()
            schedule.step()
