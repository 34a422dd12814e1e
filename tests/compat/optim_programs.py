"""Optimisers and schedules, for both libraries."""

OPTIMIZERS = """
Adadelta(p); Adadelta(p, lr=.5, rho=.8, weight_decay=.1); Adamax(p); Adamax(p, lr=.1, weight_decay=.1); NAdam(p); NAdam(p, lr=.1, weight_decay=.1, decoupled_weight_decay=True); RAdam(p, lr=.1); RAdam(p, lr=.1, betas=(.5, .6), weight_decay=.1); Rprop(p); Rprop(p, lr=.1, etas=(.4, 1.5)); ASGD(p); ASGD(p, lr=.1, t0=2, weight_decay=.1); Adam(p, lr=torch.tensor(.1)); SGD(p, lr=.1, momentum=.9); AdamW(p); Adagrad(p); RMSprop(p); NAdam(p, maximize=True)
"""

RUN = """
import torch
p = [torch.nn.Parameter(torch.tensor([1., -2.])), torch.nn.Parameter(torch.tensor([[.5]]))]
o = torch.optim.{optimizer}
for n in range(7):
    o.zero_grad()
    loss = ((p[0] - n) ** 2).sum() + p[1].sum() ** 4
    loss.backward()
    o.step()
    print(loss, p)
s = o.state_dict()
print(s['state'])
o2 = torch.optim.{optimizer}
import copy
o2.load_state_dict(copy.deepcopy(s))
for k in o, o2:
    k.zero_grad()
    ((p[0] - 1) ** 2).sum().backward()
    k.step()
    print(p)
"""

SCHEDULES = """
S.MultiplicativeLR(o, lambda t: .9); S.ConstantLR(o, .5, 3); S.LinearLR(o, .2, .9, 4); S.PolynomialLR(o, 4, 2.); S.CosineAnnealingWarmRestarts(o, 2, 2, .01); S.OneCycleLR(o, .5, total_steps=8); S.OneCycleLR(o, .5, epochs=2, steps_per_epoch=4, anneal_strategy='linear', three_phase=True); S.SequentialLR(o, [S.ConstantLR(o, .1, 2), S.ExponentialLR(o, .9)], [3]); S.ChainedScheduler([S.ConstantLR(o, .1, 2), S.ExponentialLR(o, .9)]); S.CosineAnnealingLR(o, 4); S.MultiStepLR(o, [2, 4]); S.LambdaLR(o, lambda t: 1 / (t + 1)); S.LinearLR(o, 2.); S.ConstantLR(o, 3); S.CosineAnnealingWarmRestarts(o, 0); S.OneCycleLR(o, 1.); S.SequentialLR(o, [], [3])
"""

STEP = """
import torch
S = torch.optim.lr_scheduler
p = torch.nn.Parameter(torch.ones(1))
o = torch.optim.SGD([p], lr=.1, momentum=.5)
s = {schedule}
for n in range(8):
    print(s.get_last_lr(), o.param_groups[0]['momentum'])
    o.step()
    if n < 7: s.step()
"""

OTHERS = """
import torch
p = torch.nn.Parameter(torch.ones(2))
o = torch.optim.SGD([p], lr=.1)
o.register_step_pre_hook(lambda opt, args, kwargs: print('before', len(args), kwargs))
h = o.register_step_post_hook(lambda opt, args, kwargs: print('after'))
s = torch.optim.lr_scheduler.StepLR(o, 1)
s.step()
o.step()
h.remove()
o.step(lambda: torch.ones(()))
o.add_param_group({{'params': [torch.nn.Parameter(torch.ones(1))], 'lr': 1.}})
o
s2 = torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=1)
for v in (1., 1., 1., 1.):
    s2.step(v)
print([g['lr'] for g in o.param_groups])
"""


def entries(text):
    return [e.strip() for e in text.strip().split("; ")]


PROGRAMS = {e: RUN.format(optimizer=e) for e in entries(OPTIMIZERS)}
PROGRAMS |= {e: STEP.format(schedule=e) for e in entries(SCHEDULES)}
PROGRAMS["others"] = OTHERS.format()
