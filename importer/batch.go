package importer

import "slices"

// maxBatches is how many batches may be in an export: nobody has more than one or two.
const maxBatches = 1000

// Batch says which parts of an export that was divided over several QR codes are here.
type Batch struct {
	// ID is common to all parts.
	ID int32
	// Size is the number of parts, Indexes are those that are here, from 0, in rising order.
	Size    int
	Indexes []int
}

// Missing returns the indexes of the parts that are not here.
func (b Batch) Missing() []int {
	var list []int
	for i := range b.Size {
		if _, here := slices.BinarySearch(b.Indexes, i); !here {
			list = append(list, i)
		}
	}
	return list
}

// Join puts together what several files say of batches: one Batch for each ID.
func Join(exports []Export) []Batch {
	var joined []Batch
	for _, export := range exports {
		for _, batch := range export.Batches {
			joined = addBatch(joined, batch)
		}
	}
	return joined
}

func addBatch(list []Batch, more Batch) []Batch {
	i := slices.IndexFunc(list, func(b Batch) bool { return b.ID == more.ID })
	if i < 0 {
		more.Indexes = slices.Clone(more.Indexes)
		return append(list, more)
	}
	list[i].Size = max(list[i].Size, more.Size)
	for _, index := range more.Indexes {
		if at, here := slices.BinarySearch(list[i].Indexes, index); !here {
			list[i].Indexes = slices.Insert(list[i].Indexes, at, index)
		}
	}
	return list
}
