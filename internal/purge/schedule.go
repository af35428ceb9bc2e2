package purge

import "time"

// Schedule says when to look whether an invalidation is completed. Its steps are nearly constant:
// completion times are spread around a median, and exponential steps would notice most of them late.
type Schedule struct {
	// Median is how long completion usually takes: of earlier runs, or 10 s. CloudFront says that
	// 95% complete in 25 s. Source: AWS, "CloudFront invalidation by cache tag", April 2026.
	Median time.Duration
}

// DefaultMedian is used where nobody says otherwise.
const DefaultMedian = 10 * time.Second

func (s Schedule) orDefault() Schedule {
	if s.Median <= 0 {
		s.Median = DefaultMedian
	}
	return s
}

// First is how long after the creation the first look is worth its call. At once never is.
func (s Schedule) First() time.Duration { return s.share(55) }

// Step is the time from a look (the first is 1) to the next. Each is a twentieth of the first longer:
// at lognormal times with sigma 0.6 that makes 4.9 looks in the mean, noticing 11% of the median late;
// equal steps make 5.4 looks and 9%.
func (s Schedule) Step(look int) time.Duration { return s.share(17 * float64(19+max(look, 1)) / 20) }

// Window is how long one invocation keeps looking before it hands over. After 2.5 medians 94% are
// completed, but CodePipeline takes some 30 s to come back with a token: the few that are handed over
// would then make up more than half of all lateness. After 5 medians 0.4% are handed over.
func (s Schedule) Window() time.Duration { return s.share(500) }

// share is that many hundredths of the median.
func (s Schedule) share(percent float64) time.Duration {
	return max(time.Duration(float64(s.orDefault().Median)*percent/100), time.Millisecond)
}
