"""crop_centres.py REGISTRATION.csv CROPS.csv: centres of ready crops from the expert landmarks, where their registration
(../landmarks/reg1.py) fits well. Pixel-edge coordinates: the centre of the first pixel is 0.5."""
from common import *
import sys
def main(registration, out):
    L = {r['knee_id']: r for r in csv.DictReader(open(DATA + 'knee_xray/landmarks.csv'))}
    with open(out, 'w') as f:
        f.write('file,knee_no,x_px,y_px,width_px,side_in_image\n')
        for r in csv.DictReader(open(registration)):
            if float(r['quality']) < .48: continue
            t = np.array([float(v) for v in L[r['knee_id']]['tibia_xy9_roi466'].split(',')]).reshape(9, 2)
            p = float(r['scale']) * (t - 233) + [float(r['tx']), float(r['ty'])] + .5; x = (p[0, 0] + p[8, 0]) / 2
            if r['knee_id'].endswith('L'): x = 224 - x                  # the landmarks of left knees are mirrored
            f.write(f"{r['knee_id']},0,{x:.2f},{p[[1, 2, 6, 7], 1].mean():.2f},{np.hypot(*(p[8] - p[0])):.2f},only\n")
if __name__ == '__main__': main(*sys.argv[1:])
