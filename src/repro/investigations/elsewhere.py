"""Does it hold elsewhere: other initializers, optimizers, depths, and MNIST whose paper is 1.

Predictions and rules, written on 2026-11-28 before the runs of `sweeps/elsewhere.yml`. Statistics
are of the first hidden-to-hidden matrix after 200 epochs, means over three replicas. A prediction
*held* where all it says is so, is *refuted* where none of it is, and *partly* held otherwise.

- **initializer**: (1) He, whose matrix starts sqrt(2) times wider, needs the same deviation (within
  25 % of Glorot uniform's) and so keeps a higher correlation, at every width; (2) uniform and
  normal correlations differ by less than 0.02; (3) LeCun normal draws Glorot normal's very hidden
  matrix, and ends within 0.03 of its correlation; (4) the exponent of *wider moves less* is between
  -1.2 and -0.8 for each, and (5) the outward slope of *large moves more* above 0.02.
- **optimizer**, at the rate with the lowest training loss after 20 epochs at N = 128: (6) momentum
  ends within 0.05 of SGD's correlation; (7) Adam, which scales the steps of each weight, moves
  further and ends less correlated than SGD at every width; (8) its exponent is negative and nearer
  to zero than SGD's; (9) its outward slope is smaller than SGD's.
- **depth**: (10) from two to four hidden layers, which share the change, the deviation falls and
  the correlation rises, with (11) outward slopes above 0.02.
- **pixels**: our explanation of HASYv2 (large mean inputs make large steps, steps make dead
  samples, which the clipped loss never pulls back) predicts by the **step size**, learning rate
  times the mean squared length of a training image: HASYv2 with paper 1 at rate 0.1 has 85 and is
  untrainable from N = 100 to 275. (12) No cell below 85 diverges from a low loss: none as archived
  (MNIST 4 to 26, Fashion-MNIST 8 to 49), none inverted at 0.05 and 0.1 (MNIST 33 and 67, of which
  0.1 had been seen to epoch 500; Fashion-MNIST 25 and 50). (13) At 0.2 and 0.3 inverted (133 and
  200; 99 and 149) each dataset has a width from 25 up that diverges from a low loss to a plateau
  that dead samples explain (their share times -ln epsilon within 10 % of the training loss).
- **silent**: a run that ends within 1 % of ln(classes), whose units answer nothing; at 0.3 and
  N = 50 and 100 that had been seen on MNIST. It counts neither for (12) nor for (13).
- **replication** (`benchmarks/softmax_twice.py`): (14) with the softmax twice and PyTorch's outer
  layers every printed correlation is met to 0.01 or to the range of three seeds, and (15) with the
  softmax once correlations are lower at every epoch from 10: a second softmax flattens gradients.
"""
