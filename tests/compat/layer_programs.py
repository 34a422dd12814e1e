"""Functions of torch.nn.functional and modules, for both libraries: values, gradients, second derivatives."""

SETUP = """
import torch
nn, F = torch.nn, torch.nn.functional
torch.manual_seed(0)
x1 = torch.randn(2, 4, 7, dtype=torch.double, requires_grad=True)
x2 = torch.randn(2, 4, 5, 6, dtype=torch.double, requires_grad=True)
x3 = torch.randn(1, 4, 4, 3, 5, dtype=torch.double, requires_grad=True)
w1 = torch.randn(4, 2, 3, dtype=torch.double, requires_grad=True)
w2 = torch.randn(4, 2, 3, 2, dtype=torch.double, requires_grad=True)
w3 = torch.randn(4, 2, 2, 1, 3, dtype=torch.double, requires_grad=True)
v1 = torch.randn(6, 4, 3, dtype=torch.double, requires_grad=True)
v2 = torch.randn(6, 4, 3, 2, dtype=torch.double, requires_grad=True)
v3 = torch.randn(6, 4, 2, 1, 3, dtype=torch.double, requires_grad=True)
b2, b6 = torch.randn(2, dtype=torch.double, requires_grad=True), torch.randn(6, dtype=torch.double, requires_grad=True)
q = torch.randn(2, 3, 4, dtype=torch.double, requires_grad=True)
k = torch.randn(2, 5, 4, dtype=torch.double, requires_grad=True)
leaves = [x1, x2, x3, w1, w2, w3, v1, v2, v3, b2, b6, q, k]
"""

DIFFERENTIATE = """
def at(value):
    return (value if isinstance(value, tuple) else (value,))[0]
out = {expression}
print(at(out).shape, at(out).dtype, at(out).grad_fn.name() if at(out).grad_fn is not None else None)
print(out)
if at(out).requires_grad:
    g = torch.autograd.grad((at(out) ** 2).sum(), leaves, create_graph=True, allow_unused=True)
    for a in g:
        if a is not None:
            print(a.shape, a.sum().item(), (a ** 2).sum().item())
    total = sum((a ** 2).sum() for a in g if a is not None)
    for a in torch.autograd.grad(total, leaves, allow_unused=True):
        if a is not None:
            print(a.shape, a.sum().item(), (a ** 2).sum().item())
"""

EXPRESSIONS = """
F.conv1d(x1, v1, b6); F.conv1d(x1, v1, b6, stride=2, padding=1, dilation=2); F.conv1d(x1, w1, None, groups=2, padding='same'); F.conv1d(x1[0], v1)
F.conv2d(x2, v2, b6, padding=(1, 0), stride=(2, 1)); F.conv2d(x2, w2, groups=2, dilation=(1, 2)); F.conv2d(x2, v2, padding='same', dilation=2); F.conv2d(x2, v2, padding='valid')
F.conv3d(x3, v3, b6); F.conv3d(x3, w3, groups=2, stride=(1, 2, 1), padding=(1, 0, 2)); F.conv3d(x3, v3, dilation=(2, 1, 1), padding='same'); F.conv3d(x3[0], v3)
F.conv_transpose1d(x1, w1); F.conv_transpose1d(x1, w1, b2, stride=3, padding=2, output_padding=1, dilation=2); F.conv_transpose1d(x1, w1, groups=2, stride=2); F.conv_transpose1d(x1[0], w1, padding=3)
F.conv_transpose2d(x2, w2, b2, stride=2, padding=1, output_padding=1); F.conv_transpose2d(x2, w2, stride=(1, 3), groups=4, dilation=(2, 1)); F.conv_transpose2d(x2, w2, padding=(2, 1))
F.conv_transpose3d(x3, w3, b2, stride=2); F.conv_transpose3d(x3, w3, groups=2, padding=(1, 0, 2), output_padding=(0, 1, 1), stride=(1, 2, 2))
F.conv2d(x2, w2); F.conv2d(x1, v2); F.conv2d(x2, v2, padding='same', stride=2); F.conv_transpose2d(x2, v2); F.conv_transpose1d(x1, w1, output_padding=1)
F.max_pool1d(x1, 2); F.max_pool1d(x1, 3, 2, 1, ceil_mode=True); F.max_pool2d(x2, 2); F.max_pool2d(x2, (3, 2), stride=(2, 1), padding=1); F.max_pool2d(x2, 2, return_indices=True); F.max_pool2d(x2, 2, 3, ceil_mode=True); F.max_pool2d(x2, 2, dilation=2); F.max_pool2d(x2, 2, padding=2)
F.max_pool3d(x3, 2); F.max_pool3d(x3, (2, 1, 3), padding=(1, 0, 1), return_indices=True); F.max_pool1d(x1, 3, padding=1, return_indices=True)
F.avg_pool1d(x1, 2); F.avg_pool1d(x1, 3, 2, 1, ceil_mode=True); F.avg_pool1d(x1, 3, padding=1, count_include_pad=False); F.avg_pool2d(x2, 2); F.avg_pool2d(x2, 3, 2, 1, ceil_mode=True); F.avg_pool2d(x2, 3, 2, 1, True, False); F.avg_pool2d(x2, 2, divisor_override=3); F.avg_pool3d(x3, 2); F.avg_pool3d(x3, 2, 2, 1, True)
F.adaptive_avg_pool1d(x1, 3); F.adaptive_avg_pool2d(x2, (3, 4)); F.adaptive_avg_pool2d(x2, 1); F.adaptive_avg_pool3d(x3, (2, None, 3)); F.adaptive_max_pool1d(x1, 3); F.adaptive_max_pool2d(x2, (2, 4), return_indices=True); F.adaptive_max_pool3d(x3, 2)
F.lp_pool1d(x1.abs(), 2, 3); F.lp_pool2d(x2.abs(), 3, 2, stride=1)
F.unfold(x2, (2, 3), padding=1, stride=2); F.unfold(x2[0], 2, dilation=2); F.fold(F.unfold(x2, (2, 3), stride=2, padding=1), (5, 6), (2, 3), stride=2, padding=1); F.fold(x1, 3, 2)
F.pixel_shuffle(x2, 2); F.pixel_shuffle(x1, 2); F.pixel_unshuffle(x2[..., :4, :], 2); F.pixel_unshuffle(x2, 2); F.channel_shuffle(x2, 2); F.channel_shuffle(x2, 3)
F.interpolate(x1, 4); F.interpolate(x1, scale_factor=1.7, mode='linear'); F.interpolate(x2, (3, 8)); F.interpolate(x2, scale_factor=(2, .7), mode='bilinear'); F.interpolate(x2, (9, 4), mode='bilinear', align_corners=True); F.interpolate(x2, scale_factor=2.3, mode='bicubic'); F.interpolate(x2, 7, mode='bicubic', align_corners=True)
F.interpolate(x3, scale_factor=2, mode='trilinear'); F.interpolate(x3, (2, 2, 2)); F.interpolate(x2, (3, 4), mode='area'); F.interpolate(x2, scale_factor=1.5, mode='nearest-exact'); F.interpolate(x2, scale_factor=1.55, mode='bilinear', recompute_scale_factor=True)
F.interpolate(x2); F.interpolate(x2, 2, 2); F.interpolate(x2, 3, align_corners=True); F.pad(x2, (1, 2, 3, 1), 'reflect'); F.pad(x2, (1, 2, 3, 1), 'replicate'); F.pad(x2, (1, 2, 3, 1), 'circular'); F.pad(x2, (1, -2)); F.pad(x1, (-1, 2, 0, 1), value=3.); F.pad(x2, (7, 1), 'reflect'); F.pad(x1, (7, 1), 'reflect'); F.pad(x1, (8, 1), 'circular'); F.pad(x1, (-8, 0)); F.pad(x2, (1,)); F.pad(x1, (1, 1, 1, 1), 'bad')
F.scaled_dot_product_attention(q, k, k); F.scaled_dot_product_attention(q, k, k, is_causal=True); F.scaled_dot_product_attention(q, k, k, attn_mask=torch.ones(3, 5).tril(-1).bool(), scale=2.); F.scaled_dot_product_attention(q, k, k, attn_mask=torch.ones(3, 5).double().tril()); F.scaled_dot_product_attention(q, k, k, attn_mask=torch.ones(3, 5).bool(), is_causal=True)
F.instance_norm(x2); F.group_norm(x2, 2); F.batch_norm(x2, None, None, training=True); F.layer_norm(x2, (5, 6)); F.rms_norm(x2, (6,)); F.instance_norm(x2, b6[:4].detach(), b6[:4].detach().abs(), use_input_stats=False)
"""

EXPRESSIONS = [e.strip() for line in EXPRESSIONS.strip().splitlines() for e in line.split("; ")]

MODULES = """
nn.Conv1d(4, 6, 3, padding=1, padding_mode='circular'); nn.Conv2d(4, 2, 3, padding='same', padding_mode='reflect', dtype=torch.double); nn.Conv3d(4, 2, 2, groups=2); nn.Conv2d(4, 2, 3, padding=(1, 2), padding_mode='replicate', dtype=torch.double)
nn.ConvTranspose1d(4, 6, 3, 2); nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1, groups=2, dilation=2, bias=False); nn.ConvTranspose3d(4, 2, 2)
nn.MaxPool1d(2); nn.MaxPool2d(2, return_indices=True); nn.MaxPool3d(2, ceil_mode=True); nn.AvgPool1d(2, ceil_mode=True); nn.AvgPool2d(2, divisor_override=3); nn.AvgPool3d(2); nn.AdaptiveAvgPool3d(1); nn.AdaptiveMaxPool2d((2, None)); nn.AdaptiveMaxPool1d(2); nn.LPPool2d(2, 2); nn.Unfold(2)
nn.PixelShuffle(2); nn.PixelUnshuffle(1); nn.ChannelShuffle(2); nn.Upsample(scale_factor=2, mode='bilinear'); nn.Upsample((2, 3)); nn.UpsamplingBilinear2d((3, 9)); nn.ZeroPad2d(1); nn.ConstantPad1d(1, 2.); nn.ConstantPad3d((1, 0, 2, 0, 1, 1), .5); nn.ReflectionPad2d((1, 2, 3, 1)); nn.ReplicationPad3d(1); nn.CircularPad1d(2); nn.ReflectionPad1d(2); nn.Fold(3, 2); nn.Dropout3d(0.); nn.FeatureAlphaDropout(0.)
nn.InstanceNorm1d(4); nn.InstanceNorm2d(4, affine=True, track_running_stats=True); nn.InstanceNorm3d(4); nn.BatchNorm3d(4, momentum=None, dtype=torch.double); nn.BatchNorm2d(4); nn.BatchNorm1d(4, affine=False); nn.GroupNorm(2, 4, dtype=torch.double); nn.RMSNorm(7, dtype=torch.double); nn.LayerNorm(7, bias=False); nn.BatchNorm2d(4, track_running_stats=False)
"""

MODULES = [e.strip() for line in MODULES.strip().splitlines() for e in line.split("; ")]

USE = """
m = {module}
m
print([(name, p.shape, p.dtype, p.requires_grad) for name, p in m.state_dict(keep_vars=True).items()])
name = type(m).__name__
x = x1 if '1d' in name or name in ('RMSNorm', 'LayerNorm', 'Fold') else x3 if '3d' in name else x2
p = next(m.parameters(), None)
x = x if p is not None and p.dtype == torch.double else x.float()
for _ in range(2):
    out = m(x)
print(out)
for n, b in m.named_buffers():
    print(n, b)
m.eval()
print(m(x[:1]) if not isinstance(out, tuple) else m(x)[0].shape)
"""

ATTENTION = """
import torch
def t(f):
    try:
        print(f())
    except Exception as e:
        print(type(e).__name__, e)
torch.manual_seed(0)
nn=torch.nn;F=nn.functional
m=nn.MultiheadAttention(4,2)
x=torch.randn(3,2,4)
o,w=m(x,x,x); print(o,w)
o.sum().backward(); print(m.in_proj_weight.grad.sum(), m.in_proj_bias.grad[:4])
print(o.grad_fn, w.grad_fn)
t(lambda: m(x,x,x,need_weights=False))
t(lambda: m(x,x,x,average_attn_weights=False)[1])
t(lambda: m(x,x,x,attn_mask=nn.Transformer.generate_square_subsequent_mask(3)))
t(lambda: m(x,x,x,attn_mask=nn.Transformer.generate_square_subsequent_mask(3),is_causal=True,need_weights=False))
t(lambda: m(x,x,x,key_padding_mask=torch.tensor([[False,False,True],[True,False,False]])))
t(lambda: m(x[:,0],x[:,0],x[:,0]))
t(lambda: m(x,x,x,is_causal=True))
t(lambda: nn.MultiheadAttention(5,2))
t(lambda: m(x[...,:3],x,x))
b=nn.MultiheadAttention(4,2,batch_first=True,bias=False,add_bias_kv=True,add_zero_attn=True,kdim=3,vdim=5)
print(b, list(b.state_dict()), {k:v.shape for k,v in b.state_dict().items()})
print(b(x,torch.randn(3,6,3),torch.randn(3,6,5)))
print(b.q_proj_weight, b.bias_k)
for settings in [{},{'norm_first':True},{'activation':'gelu'},{'batch_first':True},{'bias':False}]:
    l=nn.TransformerEncoderLayer(4,2,8,dropout=0.,**settings); print(l(x)); l.eval(); print((l(x) ** 3).sum())
l=nn.TransformerEncoderLayer(4,2,8,dropout=0.)
t(lambda: l(x,src_mask=nn.Transformer.generate_square_subsequent_mask(3),is_causal=True))
t(lambda: l(x,src_key_padding_mask=torch.tensor([[False,False,True],[True,False,False]])))
l.train()
e=nn.TransformerEncoder(l,2,norm=nn.LayerNorm(4),enable_nested_tensor=False)
print(e(x), e)
d=nn.TransformerDecoder(nn.TransformerDecoderLayer(4,2,8,dropout=0.),2)
print(d(x,torch.randn(5,2,4)))
T=nn.Transformer(4,2,1,1,8,dropout=0.)
print(T(x,x), nn.Transformer.generate_square_subsequent_mask(2))
print(list(T.state_dict().values())[0])
q,k,v=torch.randn(2,3,4),torch.randn(2,5,4),torch.randn(2,5,6)
"""

PROGRAMS = [SETUP + DIFFERENTIATE.format(expression=e) for e in EXPRESSIONS]
PROGRAMS += [SETUP + USE.format(module=m) for m in MODULES]
PROGRAMS.append(ATTENTION)
NAMES = [*EXPRESSIONS, *MODULES, "attention"]
