"""DICOM slices and the few pictures found on a Debian machine -> extra/{train,test}/{ct_mr,photo,other_xray}/*.png"""
import subprocess
from common import *
O = WORK + 'extra/'
for a in ('train', 'test'):
    for b in ('ct_mr', 'photo', 'other_xray', 'us'): os.makedirs(O + f'{a}/{b}', exist_ok=True)
def dcm(f, out): return subprocess.run(['dcmj2pnm', '+on', '--min-max-window', f, out], capture_output=True).returncode == 0 and os.path.exists(out)
for f in sorted(glob.glob(DATA + 'dicom/knee_mr_t2/*.dcm')):
    n = int(f.split('I')[-1][:3]); sl = (n - 49) // 24; dcm(f, O + ('train' if sl < 2 else 'test') + f'/ct_mr/knee_{n}.png')
for k in ('wrist_MR01', 'wrist_MR02'): dcm(DATA + f'dicom/examples/{k}.dcm', O + f'train/ct_mr/{k}.png')
dcm(DATA + 'dicom/examples/wrist_MR08.dcm', O + 'test/ct_mr/wrist_MR08.png')
dcm(DATA + 'dicom/examples/dcm4che_test16signed.dcm', O + 'test/ct_mr/test16signed.png'); dcm(DATA + 'dicom/examples/dcm4che_ovly_p01.dcm', O + 'test/ct_mr/ovly.png')
dcm(DATA + 'dicom/examples/RG2_JPLL.dcm', O + 'test/other_xray/RG2.png'); dcm(DATA + 'dicom/examples/dcm4che_YBR_422.dcm', O + 'test/us/ybr422.png'); dcm(DATA + 'dicom/examples/dcm4che_YBR_FULL-RLE.dcm', O + 'test/us/ybrrle.png')
for f in sorted(glob.glob(DATA + 'dicom/transfer_syntaxes/*')): dcm(f, O + 'test/ct_mr/ts_' + os.path.basename(f).replace('.dcm', '') + '.png')
try:
    import gzip; a = np.frombuffer(gzip.open('/usr/share/matplotlib/mpl-data/sample_data/s1045.ima.gz').read(), np.uint16).reshape(256, 256); Image.fromarray((np.clip(a / max(a.max(), 1), 0, 1) * 255).astype(np.uint8)).save(O + 'test/ct_mr/s1045.png')
except Exception as e: print(e)
import scipy.misc
try: Image.fromarray(scipy.misc.face()).save(O + 'test/photo/face.png'); Image.fromarray(scipy.misc.ascent().astype(np.uint8)).save(O + 'test/photo/ascent.png')
except Exception as e: print(e)
seen = set()
for root in ('/usr/share/matplotlib', '/usr/share/doc', '/usr/lib/python3', '/usr/share/icons/Adwaita/512x512', '/usr/share/info'):
    for f in sorted(glob.glob(root + '/**/*', recursive=True)):
        if not f.lower().endswith(('.png', '.jpg', '.jpeg')) or os.path.getsize(f) < 6000: continue
        try:
            im = Image.open(f); 
            if min(im.size) < 120: continue
            if im.mode in ('RGBA', 'LA', 'P'): im = im.convert('RGBA'); b = Image.new('RGBA', im.size, (255, 255, 255, 255)); b.alpha_composite(im); im = b
            im = im.convert('RGB'); im.thumbnail((600, 600))
        except Exception: continue
        k = hashlib.md5(im.tobytes()).hexdigest()[:10]
        if k in seen: continue
        seen.add(k); grp = os.path.dirname(f)
        te = 'sample_data' in f or h01(grp + ('' if 'Adwaita' in f else ''), 'p') < .5
        im.save(O + ('test' if te else 'train') + f'/photo/{os.path.basename(f)[:20].split(".")[0]}_{k}.png')
for a in ('train', 'test'): print(a, {b: len(os.listdir(O + f'{a}/{b}')) for b in ('ct_mr', 'photo', 'other_xray', 'us')})
