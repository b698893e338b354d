#!/bin/sh
# Fetches photographs, wallpapers, screens and charts of Debian packages into photos/ here (nothing is installed): most teach
# the gate what a photograph or a page is, some help to choose how, others measure whether it knows (list.sh decides by
# package). Their licences (CC BY-SA, CC0, public domain, GPL; see each package's copyright file) allow this; the pictures are
# never committed. Needs dwebp (webp) and rsvg-convert (librsvg2-bin) for wallpapers that are not PNG or JPEG.
set -eu
mkdir -p photos
cd photos
for package in tuxpaint-stamps-default lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 ukui-wallpapers mate-backgrounds \
    plasma-workspace-wallpapers python3-skimage extremetuxracer-data opencv-doc gimp-help-en python-skimage-doc \
    lxqt-themes mypaint-data-extras krita-data propaganda-debian gnome-backgrounds desktop-base stellarium-data \
    breeze xfdesktop4-data sway-backgrounds lxde-common foobillardplus-data; do
    [ -d "$package" ] && continue
    apt-get download "$package"
    dpkg -x "$package"_*.deb "$package"
    rm "$package"_*.deb
done
find gnome-backgrounds xfdesktop4-data desktop-base -name '*.webp' -o -path '*/backgrounds/*.svg' \
    -o -path '*-theme/wallpaper/contents/images/1920x1080.svg' | while read -r file; do
    [ -f "$file.png" ] && continue
    case $file in
    *.webp) dwebp -quiet "$file" -scale 1024 0 -o "$file.png" ;;
    *) rsvg-convert -w 1024 "$file" -o "$file.png" ;;
    esac
done
