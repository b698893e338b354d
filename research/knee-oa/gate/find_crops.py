"""find_crops.py FINDER.pt CENTRES.csv [N]: where the finder sees the knee on (N of the) training crops, for the gate's training."""
from infer import *
import sys
if __name__ == '__main__':
    torch.set_num_threads(1); f = Finder_(sys.argv[1]); K = [r for r in knee_xray() if r['split'] == 'train' and not r['inv']]; n = int(sys.argv[3]) if len(sys.argv) > 3 else len(K)
    with open(sys.argv[2], 'w') as out:
        out.write('file,knee_no,x_px,y_px,width_px,side_in_image\n')
        for r in random.Random(9).sample(K, n):
            for k in f(load_grey(r['file']), thr=.1)[:1]: out.write(f"{r['knee_id']},0,{k['x']:.1f},{k['y']:.1f},{k['w']:.1f},only\n")
