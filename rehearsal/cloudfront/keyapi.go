package cloudfront

import (
	"cmp"
	"slices"

	"github.com/unstale/unstale/rehearsal/accounts"
)

func (s *Service) getPublicKey(r request) (answer, error) {
	k, err := s.GetPublicKey(r.http.Context(), r.caller(), r.ids[0])
	if err != nil {
		return answer{}, err
	}
	return answer{etag: k.ETag, body: group("PublicKey", text("Id", k.ID), timestamp("CreatedTime", k.Created),
		group("PublicKeyConfig", keyView(k)...))}, nil
}

func (s *Service) getPublicKeyConfig(r request) (answer, error) {
	k, err := s.publicKey(r.caller(), "GetPublicKeyConfig", r.ids[0])
	if err != nil {
		return answer{}, err
	}
	return answer{etag: k.ETag, body: group("PublicKeyConfig", keyView(k)...)}, nil
}

func (s *Service) listPublicKeys(r request) (answer, error) {
	if err := s.authorize(r.caller(), "ListPublicKeys", "*"); err != nil {
		return answer{}, err
	}
	all := owned(s, s.keys, r.caller(), func(k *PublicKey) (account, name string) { return k.Account, k.Name })
	return page(r, "PublicKeyList", all, func(k *PublicKey) string { return k.ID }, func(k *PublicKey) element {
		return group("PublicKeySummary", text("Id", k.ID), text("Name", k.Name), timestamp("CreatedTime", k.Created),
			text("EncodedKey", k.EncodedKey), text("Comment", k.Comment))
	})
}

func (s *Service) getKeyGroup(r request) (answer, error) {
	g, err := s.GetKeyGroup(r.http.Context(), r.caller(), r.ids[0])
	if err != nil {
		return answer{}, err
	}
	return answer{etag: g.ETag, body: groupView(g)}, nil
}

func (s *Service) getKeyGroupConfig(r request) (answer, error) {
	g, err := s.keyGroup(r.caller(), "GetKeyGroupConfig", r.ids[0])
	if err != nil {
		return answer{}, err
	}
	return answer{etag: g.ETag, body: groupConfigView(g)}, nil
}

func (s *Service) listKeyGroups(r request) (answer, error) {
	if err := s.authorize(r.caller(), "ListKeyGroups", "*"); err != nil {
		return answer{}, err
	}
	all := owned(s, s.groups, r.caller(), func(g *KeyGroup) (account, name string) { return g.Account, g.Name })
	return page(r, "KeyGroupList", all, func(g *KeyGroup) string { return g.ID }, func(g *KeyGroup) element {
		return group("KeyGroupSummary", groupView(g))
	})
}

// owned lists what the caller's account has, by name.
func owned[T any](s *Service, all map[string]T, caller accounts.Caller, of func(T) (account, name string)) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []T
	for _, t := range all {
		if account, _ := of(t); account == caller.Account {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b T) int {
		_, x := of(a)
		_, y := of(b)
		return cmp.Compare(x, y)
	})
	return out
}

func keyView(k *PublicKey) []element {
	return []element{
		text("CallerReference", k.CallerReference), text("Name", k.Name), text("EncodedKey", k.EncodedKey), text("Comment", k.Comment),
	}
}

func groupView(g *KeyGroup) element {
	return group("KeyGroup", text("Id", g.ID), timestamp("LastModifiedTime", g.Modified), groupConfigView(g))
}

// groupConfigView has its Items without a Quantity, unlike other lists (H: service model).
func groupConfigView(g *KeyGroup) element {
	return group("KeyGroupConfig", text("Name", g.Name), group("Items", texts("PublicKey", g.keyIDs()...)...), text("Comment", g.Comment))
}

// trustedView is the key groups that a behavior names.
func trustedView(groups []*KeyGroup) element {
	var ids []string
	for _, g := range groups {
		ids = append(ids, g.ID)
	}
	return switchable("TrustedKeyGroups", texts("KeyGroup", ids...))
}

// activeView is the key groups of all behaviors with the keys that CloudFront verifies by.
func activeView(groups []*KeyGroup) element {
	var items []element
	for _, g := range groups {
		items = append(items, group("KeyGroup", text("KeyGroupId", g.ID), list("KeyPairIds", texts("KeyPairId", g.keyIDs()...))))
	}
	return switchable("ActiveTrustedKeyGroups", items)
}

func (g *KeyGroup) keyIDs() []string {
	var ids []string
	for _, k := range g.Keys {
		ids = append(ids, k.ID)
	}
	return ids
}
