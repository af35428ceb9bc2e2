# Builds the site: copies public/ and writes the release into the page and into release.json. Nothing else
# differs from one release to the next.
set -eu
release=$(cat RELEASE)
rm -rf dist
cp -R public dist
sed "s/@RELEASE@/$release/g" public/index.html >dist/index.html
printf '{"release":"%s"}\n' "$release" >dist/release.json
