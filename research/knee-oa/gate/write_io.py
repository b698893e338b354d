"""write_io.py CAL.json : finder_io.json and gate_io.json"""
import sys, json
from common import BOX_SCALE, BOX_UP, WORK
from gate_data import CLASSES
c = json.load(open(sys.argv[1])); state = sys.argv[2] if len(sys.argv) > 2 else 'provisional'
json.dump(dict(
 model='finder.onnx', state=state, opset=13, input=dict(name='image', shape=[1, 1, 256, 256], type='float32'), output=dict(name='maps', shape=[1, 16, 32, 32]), mmac=90.5,
 preprocessing=[
  '1. One grey channel, any bit depth, after MONOCHROME1 has been turned to MONOCHROME2; RGB -> Y = 0.299R+0.587G+0.114B.',
  '2. lo, hi = 1st and 99th percentile of all pixels of the image (linear interpolation between order statistics, numpy default). v = clip((pixel-lo)/max(hi-lo,1),0,1). (The 1 is one grey level of an 8-bit image: for 16-bit data scale to 0..255 first.)',
  '3. s = 256/max(W,H); nw = max(1,round(W*s)), nh = max(1,round(H*s)) (round half to even). Resize v to nw x nh with the separable triangle filter (PIL BILINEAR on float): for output i, centre=(i+0.5)*W/nw, support=max(1,W/nw), weights=max(0,1-|j+0.5-centre|/support), normalised to sum 1 over the pixels inside. Clip to 0..1.',
  '4. Paste at ox=(256-nw)//2, oy=(256-nh)//2 on zeros.', '5. Network input = (x-0.5)*4, so the padding is -2.'],
 channels={'0': 'heat logit', '1': 'dx in cells', '2': 'dy in cells', '3': 'ln(width/64 px of the 256 input)', '4': 'logit: knee is not upright (rotated 90 or 180); hint only', '5-15': 'not used'},
 decoding=['stride 8; p = sigmoid(ch0) on 32x32', 'a cell is a peak if p >= threshold and no 8-neighbour has larger p', 'centre in the 256 image: u=(col+0.5+ch1)*8, v=(row+0.5+ch2)*8; w=64*exp(clip(ch3,-3,2))',
   'sort by p descending; keep a peak if its distance to every kept one is > 0.6*max(w of both); keep at most 2', 'image pixels: x=(u-ox)/s, y=(v-oy)/s, width=w/s (pixel-edge coordinates: the centre of pixel 0 is 0.5)'],
 threshold=c['finder_thr'], meaning='x,y: middle of the tibial plateau (half way between its medial and lateral edge, at plateau surface height); width: plateau edge to edge',
 inverted_images='found too (15 % of the training was inverted); rotated and upside-down knees are found on purpose (the gate names them)'), open(WORK + 'finder_io.json', 'w'), indent=1)
R = {n: dict(statistic=v[0], refuse_if=v[1], threshold=v[2]) for n, v in c['rules'].items()}
json.dump(dict(
 model='gate.onnx', state=state, opset=13, input=dict(name='crop', shape=[1, 1, 128, 128], type='float32'), outputs=[dict(name='prob', shape=[1, len(CLASSES)]), dict(name='feature', shape=[1, 64])], mmac=63.7, classes=CLASSES,
 preprocessing=[f'1. box from the finder (x,y,width w in image pixels): side = {BOX_SCALE}*w, x0 = x-side/2, y0 = y-{BOX_UP}*w-side/2 (real numbers).',
  '2. X0=floor(x0), Y0=floor(y0), X1=ceil(x0+side), Y1=ceil(y0+side); the part of this pixel rectangle inside the image gives lo,hi = 1st and 99th percentile; v=clip((pixel-lo)/max(hi-lo,1),0,1); outside the image v=0.',
  '3. Resize the real-valued rectangle (x0-X0, y0-Y0, side, side) of that patch to 128x128 with the triangle filter as in finder_io.json (PIL resize(box=...)): scale=side/128, centre=(i+0.5)*scale+offset, support=max(1,scale); clip 0..1 = x.', '4. Network input = (x-0.5)*4.'],
 statistics=dict(
  note='raw statistics on the pixels of the box that lie in the image, as 0..255 of the range of the file (8 bit: as is; 16 bit: after the window of the DICOM or min-max to 0..255)',
  p50='median', p99='99th percentile', contrast='99th - 1st percentile', white='share of pixels >= 250', black='share <= 5', side='side of the box in image pixels', outside='1 - (pixels of the box inside the image)/ceil(side)^2',
  noise='median(|a-b-c+d|/2)/0.6745/max(1,contrast) over the 2x2 blocks (a b; c d) of the box, raw pixels',
  lapratio='on the 128x128 gate input x (0..1): C = x[8:120,8:120]; for inner pixels g = hypot(C[i,j+1]-C[i,j-1], C[i+1,j]-C[i-1,j])/2 and l = |4C[i,j]-its 4 neighbours|; lapratio = mean(l)/max(mean(g),1e-4). Low = blurred, high = noisy',
  colour='mean over pixels of max(R,G,B)-min(R,G,B), whole image', image_contrast='99th-1st percentile of the whole image, 0..255'),
 image_rules=dict(colour=dict(refuse_if='>', threshold=c['colour_thr']), image_contrast=dict(refuse_if='<', threshold=c['contrast_thr']), smallest_side_px=dict(refuse_if='<', threshold=c['min_side'])), box_rules=R,
 decision=['image rules -> refuse', 'finder: no knee -> refuse', 'for each knee: class = argmax prob; not knee_ok -> refuse with that name; prob[knee_ok] < ok_threshold -> refuse (unsure); Mahalanobis > threshold -> refuse (unlike the training images), > warn -> say so; a box rule fires -> refuse (quality)',
  'if no knee is accepted and one is knee_inverted (or unsure with knee_inverted as second class): invert the image (max-pixel), run finder and gate once more; accepted then = accepted, corrected, and say so'],
 ok_threshold=c['ok_thr'], maha=dict(formula='(f-mean)^T inv_cov (f-mean), f = output "feature" (64, before the ReLU)', threshold=c['maha_thr'], warn=c['maha_warn'], mean=c['mean'], inv_cov_row_major=c['inv_cov'])), open(WORK + 'gate_io.json', 'w'), indent=1)
