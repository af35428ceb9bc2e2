package test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/unstale/unstale/examples/spa"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/journal"
)

// deepLink is a page that only the app knows: no file of the site has this name, so the edge answers
// with the fallback, and caches that under this very URL, for as long as the site says. That is short, so
// nobody purges it: it may change as soon as the release is in the bucket, and has by the time the pipeline
// is green.
const deepLink = "/products/halo"

// The one story with the real React build, watched in Chromium from every point of presence: the start page
// of release 2 appears only after the invalidation completed, every address has it when the pipeline is
// green, and at no moment does anybody get parts of two releases. The others use sites that are built
// already.
func TestReactReleaseInChromium(t *testing.T) {
	t.Parallel()
	stage := set(t, story.Options{Source: spa.Files, Cache: npmCache(t)})
	release(t, stage, "1", nil)

	browser := startChromium(t, stage.World)
	site := "https://" + stage.Outputs["DistributionDomain"]
	pops := stage.World.POPs()
	var regulars []viewer // who was here before, with what their browsers keep
	for _, pop := range pops {
		regulars = append(regulars, newViewer(t, browser, pop))
	}
	everybody := func() []viewer { return append([]viewer{newViewer(t, browser, pops[len(pops)-1])}, regulars...) }
	look := func(when, release string) {
		for _, v := range everybody() {
			v.show(t, when, site+"/", page{Path: "/", Heading: "Lamps for long evenings", Release: release})
		}
	}
	look("release 1 is delivered", "1")
	deep := func(when string, releases ...string) {
		for _, v := range everybody() {
			v.showOne(t, when, site+deepLink, page{Path: deepLink, Heading: "Halo"}, releases...)
		}
	}
	deep("release 1 is delivered", "1")

	// The rehearsal tells its observers before it goes on: while they look, AWS holds still.
	var moments []string
	completed := make(chan struct{}) // closed once the last of them has looked: by then the pipeline may have gone on
	stage.World.Journal().OnEvent(func(e journal.Event) {
		switch e.Data.(type) {
		case cloudfront.InvalidationCreated:
			moments = append(moments, "created")
			look("the invalidation is in progress", "1")
		case cloudfront.InvalidationCompleted:
			moments = append(moments, "completed")
			look("the invalidation completed", "2")
			close(completed)
		}
	})
	release(t, stage, "2", func() {
		moments = append(moments, "deployed")
		look("release 2 is in the bucket", "1")
		deep("release 2 is in the bucket", "1", "2")
	})
	select {
	case <-completed:
	case <-deadline(t).Done():
		t.Fatal("the invalidation did not complete")
	}
	if len(moments) != 3 || moments[0] != "deployed" || moments[1] != "created" || moments[2] != "completed" {
		t.Fatalf("looked when %q", moments)
	}
	look("the pipeline is green", "2")
	deep("the pipeline is green", "2")
	partsAgree(t, regulars[0], site)
}

// partsAgree lets the app itself compare the releases of its page, its script and the server.
func partsAgree(t *testing.T, v viewer, site string) {
	t.Helper()
	v.show(t, "at the end", site+"/about", page{Path: "/about", Heading: "Made slowly, lit daily", Release: "2"})
	says, err := await[string](v, `(text => text !== "Asking the server…" && text)(document.querySelector("#release [role=status]").textContent)`)
	if err != nil || says != "All parts are of the same release." {
		t.Errorf("the app says %q of its parts, error %v", says, err)
	}
}

// release delivers one and wants the pipeline to succeed.
func release(t *testing.T, stage *story.Stage, name string, deployed func()) {
	t.Helper()
	execution, err := stage.Release(deadline(t), name, deployed)
	if err != nil {
		t.Fatal(err)
	}
	if execution.Status != "Succeeded" {
		t.Fatalf("the pipeline ended %s with release %s: %+v", execution.Status, name, execution.Stages)
	}
}

// npmCache is where unstale rehearse keeps downloads too, so that they are fetched once a machine.
func npmCache(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(cache, "unstale", "npm")
}
