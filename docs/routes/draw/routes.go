package main

// The columns: the pipeline account on the left, the delivery account on the right.
const (
	a = iota
	b
)

// What every route has.
var (
	pipeline     = node{at: at{a, 0}, title: "CodePipeline", notes: []string{"one stage: Deploy, then Purge"}}
	distribution = node{title: "distribution", notes: []string{"of CloudFront; serves viewers"}}
)

// placed is a node at another place.
func (n node) placed(where at) node {
	n.at = where
	return n
}

// diagrams lists the routes in the order of the document.
func diagrams() []diagram {
	return []diagram{assume(), relay(), direct(), states(), sameAccount()}
}

func assume() diagram {
	return diagram{
		name: "assume",
		about: "The job function in the pipeline account assumes a role of the delivery account and invalidates with its session. " +
			"The delivery account decides in that role: whom it trusts and which distribution it lists.",
		nodes: []node{
			pipeline,
			{at: at{a, 1}, title: "job function", notes: []string{"its role may assume one role of B", "and answer jobs"}},
			{at: at{b, 1}, title: "purge role", notes: []string{"trusts one role, by external ID;", "lists one distribution"}, decides: true},
			distribution.placed(at{b, 0}),
		},
		arrows: []arrow{
			{from: at{a, 0}, to: at{a, 1}, label: "1 invokes"},
			{from: at{a, 1}, to: at{b, 1}, slot: 1, label: "2 assumes"},
			{from: at{b, 1}, to: at{b, 0}, label: "3 invalidates, watches"},
			{from: at{a, 1}, to: at{b, 0}, look: true, label: "4 looks as a viewer"},
			{from: at{a, 1}, to: at{a, 0}, slot: 1, label: "5 answers"},
		},
	}
}

func relay() diagram {
	return diagram{
		name: "relay",
		about: "The job function in the pipeline account invokes the invalidator, a function of the delivery account, and waits for its answers. " +
			"The delivery account decides in that function: who may call it, which distribution it serves and which items it takes.",
		nodes: []node{
			pipeline,
			{at: at{a, 1}, title: "job function", notes: []string{"its role may invoke one alias of B", "and answer jobs"}},
			{at: at{b, 1}, title: "invalidator", notes: []string{"one role may call it; it checks", "the distribution and every item"}, decides: true},
			distribution.placed(at{b, 0}),
		},
		arrows: []arrow{
			{from: at{a, 0}, to: at{a, 1}, label: "1 invokes"},
			{from: at{a, 1}, to: at{b, 1}, slot: 1, both: true, label: "2 asks, is answered"},
			{from: at{b, 1}, to: at{b, 0}, label: "3 invalidates, watches"},
			{from: at{a, 1}, to: at{b, 0}, look: true, label: "4 looks as a viewer"},
			{from: at{a, 1}, to: at{a, 0}, slot: 1, label: "5 answers"},
		},
	}
}

func direct() diagram {
	return diagram{
		name: "direct",
		about: "CodePipeline assumes the action role of the delivery account and invokes the job function there. " +
			"The function answers the job through a callback role of the pipeline account. " +
			"The delivery account decides in the action role and in the function, which is its own.",
		nodes: []node{
			pipeline,
			{at: at{a, 1}, title: "callback role", notes: []string{"trusts one role of B; may answer", "any job of A, and nothing else"}},
			{at: at{b, 0}, title: "action role", notes: []string{"trusts the pipeline's role;", "may invoke one function"}, decides: true},
			{at: at{b, 1}, title: "job function", notes: []string{"its role lists one distribution", "and may assume the callback role"}, decides: true},
			distribution.placed(at{b, 2}),
		},
		arrows: []arrow{
			{from: at{a, 0}, to: at{b, 0}, label: "1 assumes"},
			{from: at{b, 0}, to: at{b, 1}, label: "2 invokes"},
			{from: at{b, 1}, to: at{b, 2}, label: "3 invalidates"},
			{from: at{b, 1}, to: at{b, 2}, slot: 1, look: true, label: "4 looks as a viewer"},
			{from: at{b, 1}, to: at{a, 1}, label: "5 assumes"},
			{from: at{a, 1}, to: at{a, 0}, label: "6 answers"},
		},
	}
}

func states() diagram {
	return diagram{
		name: "states",
		about: "CodePipeline starts a state machine of the pipeline account. Step Functions assumes a role of the delivery account for each task. " +
			"Nobody looks at what viewers get. The delivery account decides in the role: whom it trusts and which distribution it lists.",
		nodes: []node{
			pipeline,
			{at: at{a, 1}, title: "state machine", notes: []string{"its role may assume one role of B;", "it neither plans nor verifies"}},
			{at: at{b, 1}, title: "purge role", notes: []string{"trusts one role, for one machine;", "lists one distribution"}, decides: true},
			distribution.placed(at{b, 0}),
		},
		arrows: []arrow{
			{from: at{a, 0}, to: at{a, 1}, label: "1 starts"},
			{from: at{a, 1}, to: at{b, 1}, label: "2 assumes, for each task"},
			{from: at{b, 1}, to: at{b, 0}, label: "3 invalidates, watches"},
			{from: at{a, 1}, to: at{a, 0}, slot: 1, label: "4 ends"},
		},
	}
}

func sameAccount() diagram {
	return diagram{
		name:  "same-account",
		about: "Everything is in one account. The job function's own role lists the distribution.",
		one:   true,
		nodes: []node{
			pipeline,
			{at: at{a, 1}, title: "job function", notes: []string{"its role lists one distribution", "and may answer jobs"}},
			distribution.placed(at{b, 1}),
		},
		arrows: []arrow{
			{from: at{a, 0}, to: at{a, 1}, label: "1 invokes"},
			{from: at{a, 1}, to: at{b, 1}, label: "2 invalidates, watches"},
			{from: at{a, 1}, to: at{b, 1}, slot: 1, look: true, label: "3 looks as a viewer"},
			{from: at{a, 1}, to: at{a, 0}, slot: 1, label: "4 answers"},
		},
	}
}
