package routes

import (
	"testing"

	"github.com/unstale/unstale/internal/gateway/gatewaytest"
)

// Every route's gateway keeps the contract with what the templates grant, and nothing more.
func TestContract(t *testing.T) {
	forEachRoute(t, func(t *testing.T, w *world) { gatewaytest.Contract(t, w) })
}
