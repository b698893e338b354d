# Volumes: list, convert to NIfTI and back, planes as pictures, wrong input told.
. "$(dirname "$0")/lib.sh"

ph=$work/mr
run 0 phantom "$ph" --t2 --count 4
run 0 volume "$ph"
says out 'series 1: MR, 32 image\(s\), sagittal, 96 x 96 x 4 voxels of 0\.6 x 0\.6 x 4 mm, directions PIR, 8 echoes \(6\.312 to 50\.5 ms\)'
run 0 volume "$ph" --json
says out '"schema": "rehascope/volumes/1"'
says out '"is_volume": true'

# The converted series lies where the slices lay, and gives the same T2.
run 0 volume "$ph" --nifti "$work/mr.nii.gz"
run 0 volume "$work/mr.nii.gz"
says out 'NIfTI-1, 8 volume\(s\), float32, geometry from sform: sagittal, 96 x 96 x 4 voxels of 0\.6 x 0\.6 x 4 mm, directions PIR'
run 0 t2-map "$ph" --threads 1 --roi "$ph/labels.nii.gz"
grep region "$work/out" >"$work/dicom"
run 0 t2-map "$work/mr.nii.gz" --threads 1 --roi "$ph/labels.nii.gz" --echo-times 6.312,12.624,18.936,25.248,31.56,37.872,44.184,50.496
grep region "$work/out" | diff - "$work/dicom" || fail "T2 of the NIfTI file differs from that of the DICOM files"

for plane in axial coronal sagittal 1,1,0.5; do
    run 0 volume "$ph" --plane "$plane" --png "$work/cut.png"
    head -c 8 "$work/cut.png" | grep -q PNG || fail "no picture of the plane $plane"
    rm -f "$work/cut.png"
done
run 0 volume "$work/mr.nii.gz" --plane coronal --at 2 --slab 5 --step 1 --echo 3 --png "$work/cut.png"

run 1 volume "$ph" --echo 9 --png "$work/cut.png"
says err 'no stack 1 with echo 9'
run 1 volume "$ph" --series 5 --png "$work/cut.png"
says err 'holds no series 5'
run 1 volume "$ph" --plane skew --png "$work/cut.png"
says err "three numbers X,Y,Z, not 'skew'"
run 1 volume "$ph" --plane 0,0,0 --png "$work/cut.png"
run 1 volume "$ph" --step 0.05 --plane axial --slab 999 --png "$work/cut.png"
says err 'take larger pixels or a thinner slab'
run 1 volume "$ph" --plane axial --png "$work/no/such/cut.png"
run 1 volume "$work/none"
says err 'no such file or folder'
run 1 volume "$work/none.nii"
echo "no image" >"$work/text.nii"
run 1 volume "$work/text.nii"
says err 'no NIfTI header'
head -c 5000 "$work/mr.nii.gz" >"$work/cut.nii.gz"
run 1 volume "$work/cut.nii.gz"
says err 'the file is cut: [0-9]+ of [0-9]+ bytes'
run 2 volume "$ph" --png "$work/cut.jpg"
run 2 volume "$ph" --nifti "$work/cut.mgz"

# `analyse` looks at one image; it says where volumes are looked at.
run 1 analyse "$work/mr.nii.gz"
says out 'this is a NIfTI volume.*rehascope t2-map'
run 1 analyse "$ph" --task t2-map
says err "use 'rehascope t2-map FOLDER'"

# Two scans in one folder must be chosen between.
run 0 phantom "$work/both/a" --t2 --count 2
run 0 phantom "$work/both/b" --t2 --count 2 --seed 2
run 1 volume "$work/both" --png "$work/cut.png"
says err 'holds 2 volumes: choose with --series'
run 1 t2-map "$work/both"
says err '2 series would do'

if [ -d "$REHA_DATA/dicom/knee_mr_t2" ]; then
    run 0 volume "$REHA_DATA/dicom/knee_mr_t2" --plane coronal --png "$work/cut.png"
    says out 'series 8: MR, 32 image\(s\), sagittal, 256 x 256 x 4 voxels of 0\.625 x 0\.625 x 12 mm'
fi
finish
