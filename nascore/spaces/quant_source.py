"""How an exported network writes a layer that rounds: plain PyTorch, the same numbers."""

INPUTS = '''def rounded_inputs(layer, x):
    """x on 2 ** bits values from its least to its largest; the gradient passes where nothing is clipped.

    The ends are those of the batch in training, whose moving mean is kept and used when judging.
    """
    if layer.input_bits == 32:
        return x
    low, high = torch.aminmax(x.detach())
    ends = torch.stack([low.clamp(max=0), high.clamp(min=0)])
    if layer.training:
        layer.input_batches += 1
        layer.input_range.lerp_(ends, (1 / layer.input_batches).clamp(min=0.1))
    else:
        ends = torch.where(layer.input_batches > 0, layer.input_range, ends)
    top = 2**layer.input_bits - 1
    scale = ((ends[1] - ends[0]) / top).clamp(min=1e-12)
    zero = (-ends[0] / scale).round().clamp(0, top).int()
    return torch.fake_quantize_per_tensor_affine(x, scale, zero, 0, top)'''

WEIGHTS = '''def rounded_weights(layer):
    """Weights on 2 ** bits - 1 values around zero, one scale for each output; the gradient passes."""
    if layer.weight_bits == 32:
        return layer.weight
    top = 2 ** (layer.weight_bits - 1) - 1
    scale = (layer.weight.detach().flatten(1).abs().amax(1) / top).clamp(min=1e-12)
    zero = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(layer.weight, scale, zero, 0, -top, top)'''

LAYER = '''class Rounding{kind}(nn.{kind}):
    """nn.{kind} with weights and inputs of so many bits; 32 leaves them as they are."""

    def __init__(self, *args, weight_bits=32, input_bits=32, **kwargs):
        super().__init__(*args, **kwargs)
        self.weight_bits, self.input_bits = weight_bits, input_bits
        self.register_buffer("input_range", torch.zeros(2))
        self.register_buffer("input_batches", torch.tensor(0))

    def forward(self, x):
        return {call}'''

CONVOLUTION = "self._conv_forward(rounded_inputs(self, x), rounded_weights(self), self.bias)"
PRODUCT = "F.linear(rounded_inputs(self, x), rounded_weights(self), self.bias)"


def layer_source(kind: str) -> tuple[str, tuple[str, ...]]:
    """The name of the class that stands for `nn.Conv2d` or `nn.Linear`, and the texts that define it."""
    call = CONVOLUTION if kind == "Conv2d" else PRODUCT
    return f"Rounding{kind}", (INPUTS, WEIGHTS, LAYER.format(kind=kind, call=call))
